"""Boot gate: new code serves nothing on an old schema. A process answers 503 until the database is where its code is.

Some platforms start the new code before its release phase has run, or whatever that returned. The gate opens when the
database is at the code's head, or ahead of it in any way: old code that starts again is to serve what it can. Then it
notes that this release is live, and never looks again.
"""

import logging
import threading
import time
from collections.abc import Collection

from flask import Flask, current_app, request
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ServiceUnavailable

from online_migrations import options
from online_migrations.sessions import locale_weakness, session_obstacle
from online_migrations.state import AHEAD, AHEAD_CONTRACT, AT_HEAD, live, read_schema_state, refusal

LOOK_EVERY = 1.0  # seconds
RETRY_AFTER = 2  # seconds
PASSABLE = (AT_HEAD, AHEAD, AHEAD_CONTRACT)

_NOT_FOR_LONG = text("SET LOCAL statement_timeout = '2s'")

log = logging.getLogger(__name__)


class BootGate:
    """The gate of one process: one that is forked has its parent's, closed, and opens it for itself."""

    def __init__(self) -> None:
        self.is_open = False
        # Since when its code could have served; a forked process takes this from its parent. A process that idled, or
        # one that replaces another of the same old code, is no release that has just begun.
        self._since = time.monotonic()
        self._next_look = 0.0  # on the clock of time.monotonic()
        self._reason = ""  # why it was closed at the last look
        self._lock = threading.Lock()

    def opens(self) -> bool:
        """Return whether the process may serve. Looks, unless another thread has just done so."""
        with self._lock:
            if not self.is_open and time.monotonic() >= self._next_look:
                reason = self._obstacle(current_app.extensions["sqlalchemy"].engine)
                if reason and reason != self._reason:  # once, and not each second
                    log.warning("the boot gate is closed: %s", reason)
                if not reason and self._reason:
                    log.info("the boot gate is open")
                self._reason, self.is_open = reason, not reason
                self._next_look = time.monotonic() + LOOK_EVERY
            return self.is_open

    def _obstacle(self, engine: Engine) -> str:
        """Return why the process may not serve yet; empty when it may, and then it is noted as live."""
        try:
            with engine.connect() as connection:  # not in autocommit, see the savepoint of state.database_revisions()
                connection.execute(_NOT_FOR_LONG)
                if wrong := session_obstacle(connection):
                    return wrong
                state = read_schema_state(connection)
                connection.rollback()
                if state.name not in PASSABLE:
                    self._since = time.monotonic()  # it could not have served before
                    there, here = state.database_revision or "no revision", f"{state.code_head} ({state.name})"
                    return f"the database is at {there} and this code at {here}; see: flask release status"
                if state.name == AHEAD_CONTRACT:
                    log.error("%s", refusal(state))
                # Not code that was never live here and meets a contract: it would note the contract's rules as its own.
                if state.name != AHEAD_CONTRACT or state.obstacles:
                    connection.execute(_NOT_FOR_LONG)
                    age = time.monotonic() - self._since
                    live.record_live(connection, options.current().metadata, state.code_head, age)
                if weakness := locale_weakness(connection):
                    log.warning("%s See: flask release doctor", weakness)
        except (DBAPIError, PoolTimeout) as error:
            return f"the database does not answer: {error}"
        return ""


def init_app(app: Flask, exempt: Collection[str]) -> None:
    """Close the gate: requests are refused from this place on in the order of the application's before_request().

    The `exempt` endpoints answer all the same, such as those of health checks.
    """
    gate = app.extensions["boot_gate"] = BootGate()

    @app.before_request
    def require_open() -> None:
        if not gate.is_open and request.endpoint not in exempt and not gate.opens():
            raise ServiceUnavailable(retry_after=RETRY_AFTER)


def may_work(app: Flask) -> bool:
    """Return whether a worker may take jobs. For a process without requests; it asks again until it may."""
    gate: BootGate = app.extensions["boot_gate"]
    with app.app_context():
        return gate.opens()
