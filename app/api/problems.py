"""What is wrong with a request: which fields are meant, by the schema of the body and by the rules of a form."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from app.web.problem import Problem

FormT = TypeVar("FormT", bound=FlaskForm)

Wrong = dict[str, str]  # {"pointer": "#/title", "detail": "…"}, or {"parameter": "limit", "detail": "…"}


def wrong_fields(errors: Sequence[Wrong], status: int = 422) -> Problem:
    detail = _("See errors for what is wrong with which field. Nothing was changed.")
    return Problem(status, _("Something in the request isn't right"), detail, errors=list(errors))


def wrong_value(pointer: str, detail: str) -> Problem:
    return wrong_fields([{"pointer": pointer, "detail": detail}])


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
        parts = [str(part).replace("~", "~0").replace("/", "~1") for part in each["loc"]]
        path = "/".join(["#", *parts] if place == "pointer" else parts)
        found.append({place: path, "detail": sentences.get(each["type"], other)})
    return wrong_fields(found)


def checked(form: type[FormT], values: Mapping[str, str | None]) -> FormT:
    """The values by the rules of a page's form, which also normalizes them. None: the field was not sent.

    Raises:
        Problem
    """
    return all_checked(form, {"#": values})[0]


def all_checked(form: type[FormT], objects: Mapping[str, Mapping[str, str | None]]) -> list[FormT]:
    """As `checked`, for several objects at once.

    Args:
        objects: by the pointer to each.

    Raises:
        Problem: it names the wrong fields of all of them.
    """
    filled = {at: form(MultiDict(sent_of(values)), meta={"csrf": False}) for at, values in objects.items()}
    wrong = [
        {"pointer": f"{at}/{field}", "detail": str(error)}
        for at, each in filled.items()
        if not each.validate()
        for field, errors in each.errors.items()
        for error in dict.fromkeys(map(str, errors))
    ]
    if wrong:
        raise wrong_fields(wrong)
    return list(filled.values())


def sent_of(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
