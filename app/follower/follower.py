"""The follower as a process sees it: whom it may serve just now, and reads that fall back to the primary."""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, current_app, g
from sqlalchemy import Connection, CursorResult, Engine, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.database_errors import sqlstate
from app.extensions import db, reading_connection
from app.follower.standing import NOT_KNOWN, Lag, is_migrating, look, obstacle

LOOK_EVERY = 1.0  # seconds
TRUSTED_FOR = 3.0  # seconds after a look; when nobody has asked for that long, the primary serves until the next look

log = logging.getLogger(__name__)


class Standing(NamedTuple):
    """
    Args:
        at: when it was found, on the clock of time.monotonic().
        obstacle: why the follower may not serve; empty when it may.
        complete_before: it has replayed all transactions before this one.
    """

    at: float
    obstacle: str
    complete_before: int


class Follower:
    """One for each process. Looks run in a thread of their own, so no request waits for a server that hangs."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._standing = Standing(float("-inf"), NOT_KNOWN, 0)
        self._lag = Lag()
        self._looking = threading.Lock()

    def serves(self, last_write: int | None) -> bool:
        """Whether it shows everything that was written for an account.

        Args:
            last_write: the transaction that wrote last for it, as the primary says; None: none of late.
        """
        standing = self._standing
        age = time.monotonic() - standing.at
        if age > LOOK_EVERY:
            self._look_beside(current_app._get_current_object())  # type: ignore[attr-defined]
        is_fit = not standing.obstacle and age <= TRUSTED_FOR
        return is_fit and (last_write is None or last_write < standing.complete_before)

    def read(self, statement: Executable, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        """As app.extensions.read. Whatever fails here is read again from the primary, as the rest of the request is."""
        try:
            return _connection(self.engine).execute(statement, parameters)
        except (DBAPIError, PoolTimeout) as error:
            g.pop("read_elsewhere")
            log.warning("the follower failed, and the primary answers: sqlstate=%s %s", sqlstate(error), error)
            if "follower_connection" not in g or g.follower_connection.invalidated:
                self._change(f"it does not answer: {type(error).__name__}")
        return reading_connection().execute(statement, parameters)

    def look(self) -> None:
        """Look at both servers. The primary first: what the follower then has replayed is not compared with more."""
        now = time.monotonic()
        try:
            with db.engine.connect() as connection:
                primary, migrates = look(connection), is_migrating(connection)
            with self.engine.connect() as connection:
                found = look(connection)
        except (DBAPIError, PoolTimeout) as error:
            self._change(f"it does not answer, or the primary does not: {error}")
            return
        self._lag.note(now, primary.position)
        lag = self._lag.of(found.position, time.monotonic())
        self._change(obstacle(primary, found, migrates=migrates, lag=lag), found.complete_before)

    def _look_beside(self, app: Flask) -> None:
        if self._looking.acquire(blocking=False):
            threading.Thread(target=self._look_in_thread, args=(app,), name="follower", daemon=True).start()

    def _look_in_thread(self, app: Flask) -> None:
        try:
            with app.app_context():
                self.look()
        finally:
            self._looking.release()

    def _change(self, obstacle: str, complete_before: int = 0) -> None:
        before = self._standing.obstacle
        self._standing = Standing(time.monotonic(), obstacle, complete_before)
        if obstacle and obstacle != before:  # once, and not each second
            log.warning("the follower is left out: %s", obstacle)
        if before and not obstacle:
            log.info("the follower serves")


def _connection(engine: Engine) -> Connection:
    """The request's. In autocommit: a round trip a statement, and nothing that a pooler must keep for us."""
    if "follower_connection" not in g:
        g.follower_connection = engine.connect()
    opened: Connection = g.follower_connection
    return opened


def close_connection(error: BaseException | None) -> None:
    connection: Connection | None = g.pop("follower_connection", None)
    if connection is not None:
        with contextlib.suppress(DBAPIError):  # it was lost; the pool drops it
            connection.close()
