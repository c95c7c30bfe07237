"""The worker's connections to the queue: they are given up when they fall silent, and a lost statement is told.

Where packets are dropped, a proxy is frozen or a server hangs, a connection stays open and says nothing for ever. TCP
keepalives (environment/database.py) notice the first of these alone. So each statement has a time within which it is
answered. The connection that listens is asked SELECT 1 by procrastinate every 30 seconds, a statement like any other.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from os import dup
from typing import Any, Self

from flask import Flask
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.sync_psycopg_connector import wrap_exceptions
from psycopg import AsyncConnection, AsyncCursor, OperationalError
from psycopg.rows import DictRow
from sqlalchemy import make_url

SESSION_NAME = "semicircle-worker"  # the application_name of the worker's database sessions

# Seconds. The pool pings its connection before it lends it. Time is left to open another one where that is silent.
ANSWER_TIMEOUT = 10.0
CONNECT_TIMEOUT = 5
POOL_TIMEOUT = ANSWER_TIMEOUT + CONNECT_TIMEOUT

POLLS_EVERY = 1.0  # seconds; behind a connection pooler

log = logging.getLogger(__name__)


class AnsweredCursor(AsyncCursor[DictRow]):
    """Hang up on a server that has not answered within ANSWER_TIMEOUT, which raises OperationalError."""

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        patience = asyncio.get_running_loop().call_later(ANSWER_TIMEOUT, _hang_up, self.connection)
        try:
            return await super().execute(query, params, **options)
        finally:
            patience.cancel()


def _hang_up(connection: AsyncConnection[Any]) -> None:
    """End the connection on our side: libpq finds it closed. To cancel the statement would wait for the server."""
    log.warning("the database has not answered the queue for %d s: the connection is given up", ANSWER_TIMEOUT)
    with suppress(OSError, OperationalError), socket.socket(fileno=dup(connection.pgconn.socket)) as ours:
        ours.shutdown(socket.SHUT_RDWR)


class QueueConnector(PsycopgConnector):
    """Tell the worker if the queue answers (`answered`, `failed`), so that it starts anew where it does not.

    procrastinate goes on where it could not store that a job has ended, which then is `doing` while its worker lives.
    """

    def __init__(self, answered: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self.failed = asyncio.Event()
        self._answered = answered

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        with self._heeded():
            await super().execute_query_async(query, **arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> Any:
        with self._heeded():
            return await super().execute_query_one_async(query, **arguments)

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> Any:
        with self._heeded():
            return await super().execute_query_all_async(query, **arguments)

    @contextmanager
    def _heeded(self) -> Iterator[None]:
        try:
            yield
        except UniqueViolation:  # an answer: the periodic job waits already
            self._answered()
            raise
        except ConnectorException as error:
            self.fail(error)
            raise
        self._answered()

    def fail(self, error: Exception) -> None:
        """Say so at once, and once: jobs that run may take a while to end."""
        if not self.failed.is_set():
            log.warning("the queue does not answer: %s", str(error.__cause__ or error).partition("\n")[0])
        self.failed.set()


def connector(app: Flask, answered: Callable[[], None] = lambda: None) -> QueueConnector:
    """Return a connector to the application's database. Direct, because LISTEN hears nothing through a pooler."""
    url = make_url(app.config["MIGRATION_DATABASE_URI"]).set(drivername="postgresql")
    return QueueConnector(
        answered,
        conninfo=url.render_as_string(hide_password=False),
        kwargs={
            "application_name": f"{SESSION_NAME} queue",
            "connect_timeout": CONNECT_TIMEOUT,
            "prepare_threshold": None,  # a pooler's next session would not know a prepared statement
            "cursor_factory": AnsweredCursor,
        },
        configure=_autocommit,
        min_size=1,
        max_size=1,  # besides the connection that listens
        timeout=POOL_TIMEOUT,
    )


async def _autocommit(connection: AsyncConnection[Any]) -> None:
    """Make a transaction of each statement: one that falls silent before COMMIT would keep a job's row locked."""
    await connection.set_autocommit(True)


async def worker_options(opened: PsycopgConnector) -> dict[str, Any]:
    """Return the options of a worker behind a connection pooler, where it polls; none on a direct connection.

    A server announces the process id of the backend, a pooler one of its own. Raises: ConnectorException, PoolTimeout.
    """
    with wrap_exceptions():
        async with opened.pool.connection() as connection:
            row = await opened.execute_query_one_async_with_connection(connection, "SELECT pg_backend_pid() AS pid")
            announced = connection.info.backend_pid
    if row["pid"] == announced:
        return {}
    log.warning(
        "the queue's URL leads to a connection pooler: it is asked every %d s, since LISTEN hears nothing there;"
        " set MIGRATION_DATABASE_URL to the database's direct URL",
        POLLS_EVERY,
    )
    return {"listen_notify": False, "fetch_job_polling_interval": POLLS_EVERY}
