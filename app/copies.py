"""Serve programs that keep a copy of what a person has: changes since they asked last (sync), and conditional requests.

RFC 9110, section 13: the ETag of a row is its version. If-Match lets a program change only what is as it has it
(optimistic locking), and If-None-Match spares it a row that it has already. Both take an ETag as proxies that compress
answers change it, by W/ before it or -gzip at its end: a version is the same in each compression.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import g, request
from flask_babel import gettext as _
from pydantic import BaseModel, Field
from sqlalchemy import select
from werkzeug.http import parse_etags
from werkzeug.wrappers import Response

from app.accounts.service import lock_owner
from app.api.messages import answer, list_mark, parsed_cursor
from app.extensions import db
from app.schemas import IfMatch, IfNoneMatch, Since
from app.sync import CursorExpired, Feed, parse
from app.web.errors import Problem

_COMPRESSED = re.compile(r'[-;:]{1,2}(?:gzip|br|zstd|deflate)"')


class Changes(BaseModel):
    gone: list[int] = Field(description="the ids of those that were deleted for good")
    next: str = Field(description="store it, and send it as updated_since the next time")
    more: bool = Field(description="true: ask again now")


def refuse_unread(headers: type[BaseModel]) -> None:
    """Refuse If-Match where it is not read: what it was to prevent would happen. Raises: Problem 412."""
    if issubclass(headers, IfMatch) or request.headers.get("If-Match", "*") == "*":
        return
    sentence = _("This operation can't check If-Match, so nothing was changed. Send the request without it.")
    raise Problem(412, _("If-Match isn't read here"), sentence)


def hold(model: Any, row_id: int, headers: IfMatch, current: Callable[[], Mapping[str, Any]]) -> None:
    """Lock a row until the commit, if If-Match is sent and names its version. Raises: RowNotFound, Problem 412.

    Its owner comes first, as for all that locks several rows of a person, so that no two deadlock.

    Args:
        current: reads the row as it is now, for the answer to another version.
    """
    if headers.if_match is None:
        return
    lock_owner(g.account.id)
    own = select(model.version).where(model.user_id == g.account.id, model.id == row_id)
    version = db.session.scalar(own.with_for_update(key_share=True))
    etags = parse_etags(_COMPRESSED.sub('"', headers.if_match))
    if version is not None and (etags.star_tag or str(version) in etags.as_set(include_weak=True)):
        return
    db.session.rollback()
    row = current()
    sentence = _("It was changed or deleted meanwhile. Compare with current, and send its ETag in If-Match.")
    raise Problem(412, _("This has changed in the meantime"), sentence, {"ETag": f'"{row["version"]}"'}, current=row)


def answer_row(row: Mapping[str, Any], status: int = 200, headers: IfNoneMatch | None = None, **more: str) -> Response:
    """Answer with a row and its ETag; 304 without it if If-None-Match names that, or `*`."""
    etag = {"ETag": f'"{row["version"]}"'}
    seen = _COMPRESSED.sub('"', (headers and headers.if_none_match) or "")
    if parse_etags(seen).contains_weak(str(row["version"])):
        return Response(status=304, headers=etag)
    return answer(row, status, etag | more)


def answer_changes(query: Since, feed: Feed, name: str, fields: Iterable[str]) -> Response:
    """Answer with a page of what changed. Raises: Problem 422: it is no cursor of this list; 410: it has expired."""
    user_id = g.account.id
    after = parsed_cursor("updated_since", query.updated_since, lambda text: parse(text, user_id))
    try:
        found, gone, following, more = feed.read(user_id, after)
    except CursorExpired as error:
        sentence = _(
            "Your copy is more than 60 days old, or the service was restored from a backup."
            " Start again without updated_since."
        )
        raise Problem(410, _("This cursor has expired"), sentence) from error
    rows = [{field: getattr(row, field) for field in fields} for row in found]
    return answer({name: rows, "gone": gone, "next": f"{following}.{list_mark()}", "more": more})
