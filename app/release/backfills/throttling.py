"""Throttling by replication lag: a backfill waits while a follower of the database is behind.

Each batch writes WAL, which a follower has to replay before it shows what people have just saved.
"""

import logging

from sqlalchemy import Connection, text

MOST_LAG = 5.0  # seconds

# A role without the rights of pg_read_all_stats sees that there are followers, and nothing of them: state is NULL.
# replay_lag is NULL for a follower that has caught up.
_LAG = text(
    "SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::float AS seconds,"
    " coalesce(bool_or(state IS NULL), false) AS hidden FROM pg_stat_replication"
)

log = logging.getLogger(__name__)


def lagging(connection: Connection) -> str | None:
    """What to wait for, when a follower lags by more than MOST_LAG seconds; else None."""
    seconds = connection.execute(_LAG).one().seconds
    return f"a follower that is {seconds:.0f} s behind" if seconds > MOST_LAG else None


def warn_if_hidden(connection: Connection, name: str) -> None:
    """Say that the lag of the followers cannot be seen. The backfill goes on without minding it."""
    if connection.execute(_LAG).one().hidden:
        log.warning(
            "backfill %s: our role may not see how far the followers lag, so it does not wait for them;"
            " GRANT pg_read_all_stats lets it",
            name,
        )
