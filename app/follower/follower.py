"""Follower (read replica, hot standby): reads of a signed-in person's own pages that leave the primary alone.

Without FOLLOWER_DATABASE_URL nothing of this is there. A view says `@from_follower` that its page may come from there.
All other reads, and whatever decides who somebody is or what they may do, are the primary's. Read-your-writes: a page
comes from the follower only when that has replayed what was last written for the account, by any device or job
(writes.py). docs/scaling.md says when a follower is left out, and when it is worth having one.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import Connection, Engine, Select, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.database.engine import use_connections
from app.database.errors import sqlstate
from app.database.rows import Rows, fetch
from app.extensions import db, on_primary
from app.follower import writes
from app.web.marks import mark_of, marking
from online_migrations.state import migration_in_progress

LOOK_EVERY = 1.0  # seconds
TRUSTED_FOR = 3.0  # seconds after a look; when nobody has asked for that long, the primary serves until the next look

log = logging.getLogger(__name__)

# Seconds. Most pages come from it within milliseconds of a write; a follower that lags longer is in trouble.
MOST_LAG = 30.0
NOT_KNOWN = "it is not known yet how far it lags"

# The same of both servers: which cluster it is, and which schema is there. A position is a number of bytes of the
# write-ahead log (LSN); CASE, since each function is refused on the other kind of server.
_LOOK = text(
    "SELECT pg_is_in_recovery() AS in_recovery, (SELECT system_identifier FROM pg_control_system()) AS cluster,"
    " (SELECT array_agg(version_num ORDER BY version_num) FROM alembic_version) AS revisions,"
    " (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint"
    " AS position,"
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS complete_before"
)


class Server(NamedTuple):
    in_recovery: bool
    cluster: int  # a follower has its primary's identifier
    revisions: list[str] | None  # of the schema
    position: int  # in the write-ahead log: flushed by a primary, which sends no more; replayed by a follower
    # All transactions before this one have ended there. A standby cannot say which of the later ones have, since its
    # pg_current_snapshot() lists none of those that run.
    complete_before: int


class Lag:
    """Measure the replication lag in seconds, by this process's clock alone: since when was the primary further on?

    pg_last_xact_replay_timestamp() ages on an idle primary, and a follower that lost its primary has replayed all that
    it received.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # when, and where the primary was; the oldest first

    def note(self, at: float, position: int) -> None:
        self._seen.append((at, position))
        while len(self._seen) > 1 and self._seen[1][0] < at - MOST_LAG:  # the oldest stays just beyond
            self._seen.popleft()

    def of(self, position: int, now: float) -> float | None:
        """Return the seconds, at most; infinite beyond MOST_LAG; None when nobody has looked for long enough."""
        known = [now - at for at, primary in self._seen if primary <= position]
        if not known and self._seen and now - self._seen[0][0] > MOST_LAG:
            return float("inf")
        return min(known, default=None)


def obstacle(primary: Server, follower: Server, *, migrates: bool, lag: float | None) -> str:
    """Tell why the follower may not serve; "" when it may. The lag is in seconds, None if it is not known.

    While a release migrates, a follower that has not replayed a contract step still has, or locks, what that takes.
    """
    if primary.in_recovery:
        return "the primary is in recovery"
    if not follower.in_recovery:
        return "it is not in recovery: it was promoted, or FOLLOWER_DATABASE_URL names a primary"
    if follower.cluster != primary.cluster:
        return "it follows another server than the one of DATABASE_URL"
    if migrates:
        return "a release migrates"
    if follower.revisions != primary.revisions:
        return "it has another schema than the primary"
    if lag is None:
        return NOT_KNOWN
    if lag > MOST_LAG:
        return f"it lags by more than {MOST_LAG:.0f} s"
    return ""


class Standing(NamedTuple):
    at: float  # when it was found, on the clock of time.monotonic()
    obstacle: str  # why the follower may not serve; "" when it may
    complete_before: int  # it has replayed all transactions before this one


class Follower:
    """Serve one process. Looks run in a thread of their own, so no request waits for a server that hangs."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._standing = Standing(float("-inf"), NOT_KNOWN, 0)
        self._lag = Lag()
        self._looking = threading.Lock()

    def serves(self, last_write: int | None) -> bool:
        """Tell if it shows all that was written for an account, whose last write is known, or None: none of late."""
        standing = self._standing
        age = time.monotonic() - standing.at
        if age > LOOK_EVERY:
            self._look_beside(current_app._get_current_object())  # type: ignore[attr-defined]
        is_fit = not standing.obstacle and age <= TRUSTED_FOR
        return is_fit and (last_write is None or last_write < standing.complete_before)

    def read(self, statement: Select[*tuple[Any, ...]], parameters: Mapping[str, Any]) -> Rows:
        """Read as app.extensions.read does. What fails is read again from the primary, and so is all that follows."""
        try:
            if "follower_connection" not in g:  # in autocommit: one round trip, and nothing for a pooler to keep
                g.follower_connection = self.engine.connect()
            return fetch(g.follower_connection, statement, parameters)
        except (DBAPIError, PoolTimeout) as error:
            g.pop("read_elsewhere")
            log.warning("the follower failed, and the primary answers: sqlstate=%s %s", sqlstate(error), error)
            if "follower_connection" not in g or g.follower_connection.invalidated:
                self._change(f"it does not answer: {type(error).__name__}")
        return on_primary(statement, parameters)

    def look(self) -> None:
        """Look at both servers. The primary first: what the follower then has replayed is not compared with more."""
        now = time.monotonic()
        try:
            with db.engine.connect() as connection:
                primary, migrates = Server(*connection.execute(_LOOK).one()), migration_in_progress(connection)
            with self.engine.connect() as connection:
                found = Server(*connection.execute(_LOOK).one())
        except (DBAPIError, PoolTimeout) as error:
            self._change(f"it does not answer, or the primary does not: {error}")
            return
        self._lag.note(now, primary.position)
        lag = self._lag.of(found.position, time.monotonic())
        self._change(obstacle(primary, found, migrates=migrates, lag=lag), found.complete_before)

    def _look_beside(self, app: Flask) -> None:
        def look() -> None:
            try:
                with app.app_context():
                    self.look()
            finally:
                self._looking.release()

        if self._looking.acquire(blocking=False):
            threading.Thread(target=look, name="follower", daemon=True).start()

    def _change(self, obstacle: str, complete_before: int = 0) -> None:
        before = self._standing.obstacle
        self._standing = Standing(time.monotonic(), obstacle, complete_before)
        if obstacle and obstacle != before:  # once, and not each second
            log.warning("the follower is left out: %s", obstacle)
        if before and not obstacle:
            log.info("the follower serves")


def close_connection(error: BaseException | None) -> None:
    connection: Connection | None = g.pop("follower_connection", None)
    if connection is not None:
        with contextlib.suppress(DBAPIError):  # it was lost; the pool drops it
            connection.close()


def init_app(app: Flask) -> None:
    """Have the follower answer what it may. Call it after the sign-in's and the database's own."""
    if not app.config["FOLLOWER_DATABASE_URI"]:
        return
    engine = create_engine(app.config["FOLLOWER_DATABASE_URI"], **app.config["FOLLOWER_ENGINE_OPTIONS"])
    use_connections(engine, app.config)  # what is read here counts in the log as well
    app.extensions[writes.FOLLOWER] = Follower(engine)
    app.before_request(choose)
    app.teardown_appcontext(close_connection)
    if not event.contains(db.session, "before_commit", mark_request):  # once for all applications of a process
        event.listen(db.session, "before_commit", mark_request)


# A view whose page may come from a follower: it shows a signed-in person their own rows, and decides nothing. Not for
# what somebody else may change at any moment: a link that was shared, a session, a passkey.
from_follower = marking(is_from_follower=True)


def choose() -> None:
    """Set what app.extensions.read uses. The session came from the primary, with the account's last write."""
    account = g.get("account")
    if account is None or request.method not in ("GET", "HEAD") or not g.in_autocommit:
        return
    follower: Follower = current_app.extensions[writes.FOLLOWER]
    if mark_of(request.endpoint, "is_from_follower") and follower.serves(account.last_write):
        g.read_elsewhere = follower.read


def mark_request(session: Session) -> None:
    """Note, before each commit of a signed-in person's request, that it writes for their account."""
    if not has_request_context() or request.method in ("GET", "HEAD") or g.get("in_autocommit", False):
        return
    account = g.get("account")
    if account is not None:
        writes.mark(account.id)
