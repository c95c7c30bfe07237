"""Read a request (its body, the query of its URL, its headers), tell what is wrong with it, and answer as JSON.

The schema decides the shape; the rules of a page's form decide the values. Unknown fields are refused, but for headers.
Times are in RFC 3339, and the link to the next page is in the header Link (RFC 8288).
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import blake2s
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import abort, g, request
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from sqlalchemy import Row
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app.keyset import Cursor
from app.limits.quotas import Key, KeyUsed, note_key
from app.schemas import MOST_ITEMS, IdempotencyKey, Page, unknown_fields
from app.web.errors import Problem, as_json

Model = TypeVar("Model", bound=BaseModel)
FormT = TypeVar("FormT", bound=FlaskForm)

Wrong = dict[str, str]  # {"pointer": "#/title", "detail": "…"}, or {"parameter": "limit", "detail": "…"}

MOST_ERRORS = 20  # that an answer names; what follows is not looked for
LONGEST_NAME = 100  # code points of a name that is told; the rest of it is cut off

NOTHING = re.compile(rb"\s*(\{\s*\}|\[\s*\]|null)?\s*")  # clients send it where there is no body


def wrong_fields(errors: Iterable[Wrong]) -> Problem:
    """Return the answer that names what is wrong. Of the errors, at most MOST_ERRORS are taken."""
    detail = _("See errors for what is wrong with which field. Nothing was changed.")
    return Problem(422, _("Something in the request isn't right"), detail, errors=list(islice(errors, MOST_ERRORS)))


def wrong_value(pointer: str, detail: str) -> Problem:
    return wrong_fields([{"pointer": pointer, "detail": detail}])


def no_such_field() -> str:
    return str(_("There is no such field. Check its spelling."))


def path_of(place: str, path: Sequence[str | int]) -> str:
    """Return the path as a JSON pointer (RFC 6901), or as the name of a parameter."""
    names = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in map(str, path)]
    parts = [name.replace("~", "~0").replace("/", "~1") for name in names]
    return "/".join(["#", *parts] if place == "pointer" else parts)


def checked(form: type[FormT], values: Mapping[str, str | None]) -> FormT:
    """Apply a page's form to the values, which also normalizes them. None: it was not sent. Raises: Problem."""
    return all_checked(form, {"#": values})[0]


def all_checked(form: type[FormT], objects: Mapping[str, Mapping[str, str | None]]) -> list[FormT]:
    """Check several objects, by the pointer to each. Raises: Problem, with the wrong fields of all of them."""
    filled = {}
    for at, values in objects.items():
        sent = {name: value for name, value in values.items() if value is not None}
        filled[at] = form(MultiDict(sent), meta={"csrf": False})
    errors = (  # of one form after the other, as far as they are asked for
        {"pointer": f"{at}/{field}", "detail": error}
        for at, each in filled.items()
        if not each.validate()
        for field, found in each.errors.items()
        for error in dict.fromkeys(map(str, found))
    )
    if wrong := list(islice(errors, MOST_ERRORS)):
        raise wrong_fields(wrong)
    return list(filled.values())


def read_query(model: type[Model]) -> Model:
    """Read the query of the URL. A repeated parameter is a list, which none may be. Raises: Problem 422."""
    sent = {name: values[0] if len(values) == 1 else values for name, values in request.args.lists()}
    refuse_many_unknown(model, sent, "parameter")
    with refusing("parameter"):
        return model.model_validate(sent)


def refuse_body() -> None:
    """Refuse a body where none is read, but for one that says nothing. Raises: Problem 422."""
    if not NOTHING.fullmatch(request.get_data().removeprefix(BOM_UTF8)):
        raise wrong_value("#", _("This operation takes no body."))


def read_headers(model: type[Model]) -> Model:
    """Read headers. Raises: Problem 422."""
    with refusing("parameter"):
        return model.model_validate(dict(request.headers))


def read_body(model: type[Model]) -> Model:
    """Read the JSON of the body. Raises: Problem 400, 415, 422."""
    if request.mimetype != "application/json":
        abort(415)
    body = request.get_data().removeprefix(BOM_UTF8)  # which a parser may ignore (RFC 8259, section 8.1)
    try:
        found = from_json(body)
    except ValueError as error:
        sentence = _("The body isn't valid JSON in UTF-8.")
        raise Problem(400, _("We couldn't read that request"), sentence) from error
    refuse_many_unknown(model, found, "pointer")
    with refusing("pointer"):
        if isinstance(found, list) and len(found) > MOST_ITEMS:
            return model.model_validate(found)  # which refuses its length, without a second copy in memory
        return model.model_validate_json(body)  # JSON has no dates of its own, so strict takes them from text


def refuse_many_unknown(model: type[BaseModel], found: object, place: str) -> None:
    """Refuse the first MOST_ERRORS unknown fields, if there are as many. Fewer are named with what else is wrong.

    pydantic lists them all, which for a body of 3 MB takes seconds and hundreds of megabytes.
    """
    unknown = list(islice(unknown_fields(model, found), MOST_ERRORS))
    if len(unknown) == MOST_ERRORS:
        raise wrong_fields({place: path_of(place, path), "detail": no_such_field()} for path in unknown)


@contextmanager
def refusing(place: str) -> Iterator[None]:
    """Tell what a schema refuses, by the "pointer" of a body or the "parameter" of a URL or header. Raises: Problem."""
    try:
        yield
    except ValidationError as error:
        sentences = {"missing": _("This is missing."), "extra_forbidden": no_such_field()}
        other = _("This value doesn't have the type or the size that the API's document names.")
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise wrong_fields(
            {place: path_of(place, each["loc"]), "detail": sentences.get(each["type"], other)} for each in found
        ) from error


def key_of(headers: IdempotencyKey) -> Key | None:
    """Return the key of the request. Call it last before the service. Raises: Problem: another request has used it."""
    if headers.idempotency_key is None:
        return None
    try:
        return note_key(g.account.id, headers.idempotency_key, request.path, request.get_data())
    except KeyUsed as error:
        sentence = _("Another request had this Idempotency-Key within a day. Draw a new one for each request.")
        wrong = [{"parameter": "Idempotency-Key", "detail": sentence}]
        raise Problem(422, _("Something in the request isn't right"), sentence, errors=wrong) from error


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(as_json(data), status, headers, mimetype="application/json")


def objects(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[dict[str, Any]]:
    """Turn rows of one statement into JSON objects. Row._asdict() looks all names up for each row, which is slower."""
    names = rows[0]._fields if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]


def cursor_of(query: Page, bounds: Sequence[range]) -> Cursor:
    """Return where the page starts, in a list with a sort key within these bounds. Raises: Problem."""
    return parsed_cursor("cursor", query.cursor, partial(Cursor.parse, bounds=bounds)) or Cursor.start(bounds)


def parsed_cursor(parameter: str, sent: str | None, parse: Callable[[str], Cursor]) -> Cursor | None:
    """Read a cursor with the mark of this list; None if none was sent. Raises: Problem."""
    if sent is None:
        return None
    text, _dot, mark = sent.rpartition(".")
    try:
        return parse(text if mark == list_mark() else "")
    except ValueError as error:
        raise wrong_fields([{"parameter": parameter, "detail": _("This isn't a cursor of this list.")}]) from error


def list_mark() -> str:
    """Return what a cursor ends with. It tells lists and filters apart: in another one, items would be left out."""
    filters = sorted(
        (name, value) for name, value in request.args.items() if name not in ("cursor", "limit", "updated_since")
    )
    return blake2s(f"{request.path}?{urlencode(filters)}".encode(), digest_size=4).hexdigest()


def page(name: str, items: Sequence[Mapping[str, Any]], older: Cursor | None, status: int = 200) -> Response:
    """Answer with a part of a list. Of a next page, `next` is the cursor, and the header Link the URL."""
    if older is None:
        return answer({name: items, "next": None}, status)
    cursor = f"{older}.{list_mark()}"
    link = f'<{request.path}?{urlencode({**request.args, "cursor": cursor})}>; rel="next"'
    return answer({name: items, "next": cursor}, status, {"Link": link})
