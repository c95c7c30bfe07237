"""Account events (audit log): what happened to an account, for its owner to read and in the log (ASVS 5.0 V16.3.1).

An event is written in the transaction of what it tells, so it exists exactly when the change does. It holds no secret,
and nothing that was typed.
"""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, text

from app.accounts.models import AccountEvent, EventKind
from app.accounts.service import owner_required
from app.database.statements import fixed
from app.extensions import db, read
from app.keyset import IDS, Cursor, cut_page

log = logging.getLogger(__name__)

NOBODY = 0  # no user has this id
PAGE_SIZE = 20
KEPT = timedelta(days=90)
KEY_BOUNDS = (IDS,)
START = Cursor.start(KEY_BOUNDS)


@dataclass(frozen=True)
class Client:
    """The browser that asks."""

    ip: str | None  # None where its address is not valid
    user_agent: str


# The day's row of a kind: a new one, or one more in it. Its new id moves it to the top of the owner's list.
_COUNT_ONE = text(
    """
    INSERT INTO account_events (user_id, kind, day, user_agent, ip)
    SELECT id, :kind, (now() AT TIME ZONE 'UTC')::date, :user_agent, CAST(:ip AS inet)
    FROM users WHERE id = :user_id FOR KEY SHARE
    ON CONFLICT (user_id, kind, day) WHERE day IS NOT NULL DO UPDATE
    SET id = DEFAULT, times = account_events.times + 1, created_at = now(),
        user_agent = excluded.user_agent, ip = excluded.ip
    """
)
# If the commit waited for the disk, its time would reveal that a row was written: that there is such an account. A
# crash of the server may lose the last half second of these rows; the log has the lines.
_DO_NOT_WAIT = text("SET LOCAL synchronous_commit TO off")
_PAGE = (
    select(
        *(AccountEvent.id, AccountEvent.kind, AccountEvent.created_at, AccountEvent.times),
        *(AccountEvent.user_agent, AccountEvent.ip),
    )
    .where(AccountEvent.user_id == bindparam("owner"), AccountEvent.id < bindparam("before"))
    .order_by(AccountEvent.id.desc())
    .limit(fixed(PAGE_SIZE + 1))
)


def record(user_id: int, kind: EventKind, client: Client) -> None:
    """Add an event to the caller's transaction, and a line to the log. Call it last. Raises: AccountGone."""
    with owner_required():
        db.session.execute(insert(AccountEvent).values(_values(user_id, kind, client)))
    log.info("%s: account=%d address=%s", kind, user_id, client.ip)


def sign_in_failed(user_id: int | None, email: str, client: Client, secret_key: str) -> None:
    """Count a wrong password, or an email address that nobody has (`user_id` None), by the same statements."""
    if user_id is not None:
        refused(user_id, EventKind.SIGN_IN_FAILED, client)
        return
    _count(NOBODY, EventKind.SIGN_IN_FAILED, client)
    # Tells tries for one address from tries for many; without the key nobody can look up which address it was.
    digest = hmac.new(secret_key.encode(), b"sign-in " + email.encode(), "sha256").hexdigest()[:16]
    log.warning("%s: unknown=%s address=%s", EventKind.SIGN_IN_FAILED, digest, client.ip)


def refused(user_id: int, kind: EventKind, client: Client) -> None:
    """Count what somebody typed wrong: a password, also where a form asks for it again, or a recovery code."""
    _count(user_id, kind, client)
    log.warning("%s: account=%d address=%s", kind, user_id, client.ip)


def account_deleted(user_id: int, client: Client) -> None:
    """Add a line to the log alone: the events of an account go with it."""
    log.info("account_deleted: account=%d address=%s", user_id, client.ip)


def _count(user_id: int, kind: EventKind, client: Client) -> None:
    """Count a failure in a transaction of its own, in one row a day: 110 rows an hour would fill the owner's page."""
    db.session.execute(_DO_NOT_WAIT)
    db.session.execute(_COUNT_ONE, _values(user_id, kind, client))
    db.session.commit()


def _values(user_id: int, kind: EventKind, client: Client) -> dict[str, int | str | None]:
    return {"user_id": user_id, "kind": kind.value, "user_agent": client.user_agent[:255], "ip": client.ip}


def list_events(user_id: int, after: Cursor = START) -> tuple[Sequence[Row[*tuple[Any, ...]]], Cursor | None]:
    """Return a page of the account's events, the newest first, and where the next page starts (keyset pagination)."""
    rows = read(_PAGE, {"owner": user_id, "before": after.key[0]}).all()
    return cut_page(rows, PAGE_SIZE, lambda event: (event.id,))
