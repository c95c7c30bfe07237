"""What is wrong with a request, as problem+json (RFC 9457): what happened, what to do, and which fields are meant."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeVar

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.web.errors import RETRY_AFTER

FormT = TypeVar("FormT", bound=FlaskForm)

Wrong = dict[str, str]  # {"pointer": "#/title", "detail": "…"}, or {"parameter": "limit", "detail": "…"}


def as_json(data: object) -> str:
    """As JSON, times in RFC 3339 with their zone."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_text)


def _text(value: date | uuid.UUID) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


class Problem(Exception):
    """An answer that says what is wrong. Nothing was changed.

    Args:
        title, detail: in the caller's language.
        more: further members, such as `errors`.
    """

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(status, title)
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
        self.status, self.headers = status, headers

    def answer(self) -> Response:
        return Response(as_json(self.body), self.status, self.headers, content_type="application/problem+json")


def wrong_fields(errors: Sequence[Wrong], status: int = 422) -> Problem:
    detail = _("See errors for what is wrong with which field. Nothing was changed.")
    return Problem(status, _("Something in the request isn't right"), detail, errors=list(errors))


def wrong_value(pointer: str, detail: str) -> Problem:
    return wrong_fields([{"pointer": pointer, "detail": detail}])


def busy() -> Problem:
    sentence = _("Too much is being done at once. Try again in a few seconds. Nothing was changed.")
    return Problem(503, _("We're unavailable right now"), sentence, {"Retry-After": f"{RETRY_AFTER}"})


def not_read(error: ValidationError, place: str) -> Problem:
    """What a schema refuses: the shape of a request. What a value may be is the rule of a form.

    Args:
        place: "pointer" for a body; "parameter" for what stands in the URL or a header.
    """
    if error.errors()[0]["type"] == "json_invalid":
        return Problem(400, _("We couldn't read that request"), _("The body isn't valid JSON in UTF-8."))
    sentences = {"missing": _("This is missing."), "extra_forbidden": _("There is no such field. Check its spelling.")}
    other = _("This value doesn't have the type or the size that the API's document names.")
    found = []
    for each in error.errors():
        path = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in each["loc"])
        found.append({place: f"#/{path}" if place == "pointer" else path, "detail": sentences.get(each["type"], other)})
    return wrong_fields(found)


def checked(form: type[FormT], values: Mapping[str, str | None], at: str = "#") -> FormT:
    """The values by the rules of a page's form, which also normalizes them. None: the field was not sent.

    Args:
        at: the pointer to the object that has the fields.

    Raises:
        Problem
    """
    sent = MultiDict({name: value for name, value in values.items() if value is not None})
    filled: FormT = form(sent, meta={"csrf": False})
    if filled.validate():
        return filled
    raise wrong_fields(
        [
            {"pointer": f"{at}/{field}", "detail": str(error)}
            for field, errors in filled.errors.items()
            for error in errors
        ]
    )
