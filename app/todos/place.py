"""The part of the list on the screen: filter, order, page. Every form has it in its URL and returns to it."""

from typing import TypedDict

from flask import abort, request, url_for
from werkzeug.wrappers import Response

from app.keyset import Cursor
from app.todos import listing
from app.web.answers import go_to

# What `?show=` asks for: done todos or open ones. "open" is what older bookmarks say.
COMPLETED = {None: False, "open": False, "today": False, "done": True}
SORTS = (None, "due")


class Place(TypedDict):
    show: str | None
    sort: str | None
    before: Cursor | None


def requested_place() -> Place:
    """The place of `?show=`, `?sort=` and `?before=`; 400 for any other value, before anything is stored."""
    show, sort, before = (request.args.get(name) for name in ("show", "sort", "before"))
    if show not in COMPLETED or sort not in SORTS:
        abort(400)
    try:
        cursor = None if before is None else Cursor.parse(before, listing.KEY_BOUNDS)
    except ValueError:
        abort(400)
    return {"show": show, "sort": sort, "before": cursor}


def return_to(place: Place, anchor: str | None = None) -> Response:
    return go_to(url_for("todos.index", **place, _anchor=anchor))
