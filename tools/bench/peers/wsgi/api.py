"""The limit of the list as JSON: one statement finds who holds the token, and the notes."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.bench.peers.wsgi.database import execute

SIZE = 20
NAMES = (
    *("id", "title", "content", "tags", "pinned", "version"),
    *("created_at", "updated_at", "archived_at", "deleted_at"),
)
PAGE = f"""
SELECT page.* FROM access_tokens JOIN users ON users.id = access_tokens.user_id LEFT JOIN LATERAL (
    SELECT {", ".join(NAMES)} FROM notes
    WHERE user_id = users.id AND deleted_at IS NULL AND archived_at IS NULL
    ORDER BY pinned DESC, created_at DESC, id DESC LIMIT {SIZE + 1}
) AS page ON true WHERE token_hash = %s AND (expires_at IS NULL OR expires_at > now())
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def notes(authorization: str) -> str | None:
    """The newest notes as JSON; None: nobody holds the token."""
    token = authorization.removeprefix("Bearer ")
    rows = execute(PAGE, hashlib.sha256(token.encode()).hexdigest())
    if not rows:
        return None
    found = [dict(zip(NAMES, row, strict=True)) for row in rows if row[0]]
    page = {"notes": found[:SIZE], "next": cursor(found[SIZE - 1]) if len(found) > SIZE else None}
    return json.dumps(page, ensure_ascii=False, separators=(",", ":"), default=written)


def written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def cursor(note: dict[str, Any]) -> str:
    return f"{note['pinned']:d}-{(note['created_at'] - EPOCH) // timedelta(microseconds=1)}-{note['id']}"
