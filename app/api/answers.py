"""Answers as JSON: times in RFC 3339, and the link to the next page (RFC 8288)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2s
from typing import Any
from urllib.parse import urlencode

from flask import request
from flask_babel import gettext as _
from sqlalchemy import Row
from werkzeug.wrappers import Response

from app.api.requests import Page, wrong_fields
from app.keyset import Cursor
from app.web.errors import as_json


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(as_json(data), status, headers, mimetype="application/json")


def objects(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[dict[str, Any]]:
    """Turn rows of one statement into JSON objects. Row._asdict() looks all names up for each row, which is slower."""
    names = rows[0]._fields if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]


def cursor_of(query: Page, bounds: Sequence[range]) -> Cursor:
    """Return where the page starts, in a list with a sort key within these bounds. Raises: Problem."""
    return parsed_cursor(query, partial(Cursor.parse, bounds=bounds), Cursor.start(bounds))


def parsed_cursor(query: Page, parse: Callable[[str], Cursor], start: Cursor) -> Cursor:
    if query.cursor is None:
        return start
    text, _dot, mark = query.cursor.rpartition(".")
    refusal = wrong_fields([{"parameter": "cursor", "detail": _("This isn't a cursor of this list.")}])
    if mark != list_mark():
        raise refusal
    try:
        return parse(text)
    except ValueError as error:
        raise refusal from error


def list_mark() -> str:
    """Return what a cursor ends with. It tells lists and filters apart: in another one, items would be left out."""
    filters = sorted((name, value) for name, value in request.args.items() if name not in ("cursor", "limit"))
    return blake2s(f"{request.path}?{urlencode(filters)}".encode(), digest_size=4).hexdigest()


def page(name: str, items: Sequence[Mapping[str, Any]], older: Cursor | None, status: int = 200) -> Response:
    """Answer with a part of a list. Of a next page, `next` is the cursor, and the header Link the URL."""
    if older is None:
        return answer({name: items, "next": None}, status)
    cursor = f"{older}.{list_mark()}"
    link = f'<{request.path}?{urlencode({**request.args, "cursor": cursor})}>; rel="next"'
    return answer({name: items, "next": cursor}, status, {"Link": link})
