"""What is wrong with a request: which fields are meant, by the schema of the body and by the rules of a form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeVar

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from app.web.errors import Problem

FormT = TypeVar("FormT", bound=FlaskForm)

Wrong = dict[str, str]  # {"pointer": "#/title", "detail": "…"}, or {"parameter": "limit", "detail": "…"}

MOST_ERRORS = 20  # that an answer names; what follows is not looked for
LONGEST_NAME = 100  # code points of a name that is told; the rest of it is cut off


def wrong_fields(errors: Iterable[Wrong], status: int = 422) -> Problem:
    """The answer that names what is wrong. No more than MOST_ERRORS are taken of the errors."""
    detail = _("See errors for what is wrong with which field. Nothing was changed.")
    return Problem(status, _("Something in the request isn't right"), detail, errors=list(islice(errors, MOST_ERRORS)))


def wrong_value(pointer: str, detail: str) -> Problem:
    return wrong_fields([{"pointer": pointer, "detail": detail}])


def not_read(error: ValidationError, place: str) -> Problem:
    """What a schema refuses: the shape of a request. What a value may be is the rule of a form.

    Args:
        place: "pointer" for a body; "parameter" for what stands in the URL or a header.
    """
    sentences = {"missing": _("This is missing."), "extra_forbidden": no_such_field()}
    other = _("This value doesn't have the type or the size that the API's document names.")
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return wrong_fields(
        {place: path_of(place, each["loc"]), "detail": sentences.get(each["type"], other)} for each in found
    )


def not_known(paths: Iterable[Sequence[str | int]], place: str) -> Problem:
    """Args: paths: of fields that the schema does not have."""
    return wrong_fields({place: path_of(place, path), "detail": no_such_field()} for path in paths)


def no_such_field() -> str:
    return str(_("There is no such field. Check its spelling."))


def path_of(place: str, path: Sequence[str | int]) -> str:
    """The path as a JSON pointer (RFC 6901), or as the name of a parameter."""
    names = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in map(str, path)]
    parts = [name.replace("~", "~0").replace("/", "~1") for name in names]
    return "/".join(["#", *parts] if place == "pointer" else parts)


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
        Problem: it names the wrong fields of all of them, up to MOST_ERRORS.
    """
    filled = {at: form(MultiDict(sent_of(values)), meta={"csrf": False}) for at, values in objects.items()}
    errors = errors_of(filled)
    if first := next(errors, None):
        raise wrong_fields(chain([first], errors))
    return list(filled.values())


def errors_of(forms: Mapping[str, FlaskForm]) -> Iterator[Wrong]:
    """Validate one form after the other, as far as its errors are asked for."""
    for at, form in forms.items():
        if form.validate():
            continue
        for field, errors in form.errors.items():
            yield from ({"pointer": f"{at}/{field}", "detail": error} for error in dict.fromkeys(map(str, errors)))


def sent_of(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
