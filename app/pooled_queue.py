"""The job queue behind a connection pooler in transaction mode, where LISTEN hears nothing: then it polls.

With a direct MIGRATION_DATABASE_URL beside a pooled DATABASE_URL this is not needed, and a job begins at once.
"""

import logging
from typing import Any

from procrastinate import PsycopgConnector
from procrastinate.sync_psycopg_connector import wrap_exceptions

POLLS_EVERY = 1.0  # seconds

log = logging.getLogger(__name__)


async def worker_options(queue: PsycopgConnector) -> dict[str, Any]:
    """What the worker has to do otherwise; nothing on a direct connection.

    Args:
        queue: open.

    Raises:
        ConnectorException, PoolTimeout: the queue does not answer.
    """
    if not await _is_pooled(queue):
        return {}
    log.warning(
        "the queue's URL leads to a connection pooler: it is asked every %d s, since LISTEN hears nothing there;"
        " set MIGRATION_DATABASE_URL to the database's direct URL",
        POLLS_EVERY,
    )
    return {"listen_notify": False, "fetch_job_polling_interval": POLLS_EVERY}


async def _is_pooled(queue: PsycopgConnector) -> bool:
    """A server announces the process id of the backend; a pooler announces a number of its own."""
    with wrap_exceptions():
        async with queue.pool.connection() as connection:
            row = await queue.execute_query_one_async_with_connection(connection, "SELECT pg_backend_pid() AS pid")
            return bool(row["pid"] != connection.info.backend_pid)
