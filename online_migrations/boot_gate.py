"""Boot gate: new code serves nothing on an old schema. A process answers 503 until the database is where its code is.

Some platforms start the new code before its release phase has run, or whatever that returned. Code that then reads a
column which is still to come fails, or worse, writes rows without it.

The gate looks at the database at most once each second. It opens when the database is at the code's head or ahead of
it, notes that this release is live, and never looks again. Ahead, it opens in any case: a process of old code that
starts again is to serve what it can, and /readyz tells what it cannot.
"""

import logging
import threading
import time
from collections.abc import Collection
from functools import partial

from flask import Flask, current_app, request
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ServiceUnavailable

from online_migrations import options
from online_migrations.connection import session_obstacle
from online_migrations.state import AHEAD, AHEAD_CONTRACT, AT_HEAD, SchemaState, live, read_schema_state, refusal

LOOK_EVERY = 1.0  # seconds
RETRY_AFTER = 2  # seconds
PASSABLE = (AT_HEAD, AHEAD, AHEAD_CONTRACT)

_NOT_FOR_LONG = text("SET LOCAL statement_timeout = '2s'")

log = logging.getLogger(__name__)


class BootGate:
    """One for each process: a process that is forked has its parent's, closed, and opens it for itself.

    It says since when its code could have served: since it was loaded, which a forked process takes from its parent. A
    process may idle before its first request, and a web server replaces a process that died by another one of the same
    old code; both would else be taken for a release that has just begun.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._since = time.monotonic()
        self._next_look = 0.0  # on the clock of time.monotonic()
        self._reason = ""  # why it was closed at the last look
        self._lock = threading.Lock()

    def opens(self) -> bool:
        """Whether the process may serve. Looks, unless somebody has just looked; who comes meanwhile waits for that."""
        with self._lock:
            if not self.is_open and time.monotonic() >= self._next_look:
                self._look()
                self._next_look = time.monotonic() + LOOK_EVERY
            return self.is_open

    def _look(self) -> None:
        reason = self._obstacle(current_app.extensions["migrate"].db.engine)
        if reason and reason != self._reason:  # once, and not each second
            log.warning("the boot gate is closed: %s", reason)
        if not reason and self._reason:
            log.info("the boot gate is open")
        self._reason, self.is_open = reason, not reason

    def _obstacle(self, engine: Engine) -> str:
        """Why the process may not serve yet; empty when it may, and then it is noted as live."""
        try:
            with engine.connect() as connection:  # not in autocommit, see the savepoint of schema_state.py
                if wrong := session_obstacle(connection):
                    return wrong
                connection.execute(_NOT_FOR_LONG)
                state = read_schema_state(connection)
                connection.rollback()
                if state.name not in PASSABLE:
                    self._since = time.monotonic()  # it could not have served before
                    there = state.database_revision or "no revision"
                    at = f"the database is at {there} and this code at {state.code_head}"
                    return f"{at} ({state.name}); see: flask release status"
                if state.name == AHEAD_CONTRACT:
                    log.error("%s", refusal(state))
                if _is_worth_noting(state):
                    connection.execute(_NOT_FOR_LONG)
                    live.record_live(
                        connection, options.current().metadata, state.code_head, time.monotonic() - self._since
                    )
        except (DBAPIError, PoolTimeout) as error:
            return f"the database does not answer: {error}"
        return ""


def init_app(app: Flask, exempt: Collection[str]) -> None:
    """Close the gate. Requests are refused from this place on in the order of the application's before_request().

    Args:
        exempt: endpoints that answer all the same, such as those of health checks.
    """
    gate = app.extensions["boot_gate"] = BootGate()
    app.before_request(partial(_require_open, gate, frozenset(exempt)))


def may_work(app: Flask) -> bool:
    """Whether a worker may take jobs. For a process without requests; it asks again until it may."""
    gate: BootGate = app.extensions["boot_gate"]
    with app.app_context():
        return gate.opens()


def _require_open(gate: BootGate, exempt: frozenset[str]) -> None:
    """
    Raises:
        ServiceUnavailable: the gate is closed.
    """
    if not gate.is_open and request.endpoint not in exempt and not gate.opens():
        raise ServiceUnavailable(retry_after=RETRY_AFTER)


def _is_worth_noting(state: SchemaState) -> bool:
    """Not of code that was never live here and meets a contract: it would note the rules that came with it as its own.

    Code that was live here is told its obstacles, and has noted what it uses before.
    """
    return state.name != AHEAD_CONTRACT or bool(state.obstacles)
