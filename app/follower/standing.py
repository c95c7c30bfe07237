"""What two looks, at the primary and at the follower, say about the follower: whether it may serve, and whom."""

from collections import deque
from typing import NamedTuple

from sqlalchemy import Connection, text

from app.release.advisory_lock import lock_holder

# Seconds. Most pages come from it within milliseconds of a write; a follower that lags longer is in trouble.
MOST_LAG = 30.0
NOT_KNOWN = "it is not known yet how far it lags"

# The same of both servers: which cluster it is, and which schema is there. A position is a number of bytes of the
# write-ahead log (LSN); CASE, since each function is refused on the other kind of server.
_SERVER = (
    "SELECT pg_is_in_recovery() AS in_recovery, (SELECT system_identifier FROM pg_control_system()) AS cluster,"
    " (SELECT array_agg(version_num ORDER BY version_num) FROM alembic_version) AS revisions,"
    " (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint"
    " AS position,"
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS complete_before"
)
_LOOK = text(_SERVER)


class Server(NamedTuple):
    """
    Args:
        cluster: a follower has its primary's identifier.
        revisions: of the schema.
        position: in the write-ahead log: flushed by a primary, which sends no more than that; replayed by a follower.
        complete_before: all transactions before this one have ended there. A standby cannot say which of the later ones
            have (its pg_current_snapshot() lists none of those that run), so this is what it is asked.
    """

    in_recovery: bool
    cluster: int
    revisions: list[str] | None
    position: int
    complete_before: int


class Lag:
    """Replication lag in seconds, by this process's clock alone.

    When was the primary where the follower is now? pg_last_xact_replay_timestamp() does not tell: it ages on an idle
    primary, and comparing what was received with what was replayed calls a follower that lost its primary up to date.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # when, and where the primary was; the oldest first

    def note(self, at: float, position: int) -> None:
        self._seen.append((at, position))
        while len(self._seen) > 1 and self._seen[1][0] < at - MOST_LAG:  # the oldest stays just beyond
            self._seen.popleft()

    def of(self, position: int, now: float) -> float | None:
        """Seconds, at most; infinite beyond MOST_LAG; None when nobody has looked for long enough to tell."""
        known = [now - at for at, primary in self._seen if primary <= position]
        if not known and self._seen and now - self._seen[0][0] > MOST_LAG:
            return float("inf")
        return min(known, default=None)


def look(connection: Connection) -> Server:
    return Server(*connection.execute(_LOOK).one())


def is_migrating(primary: Connection) -> bool:
    """Whether a release holds the migration lock."""
    return lock_holder(primary) is not None


def obstacle(primary: Server, follower: Server, *, migrates: bool, lag: float | None) -> str:
    """Why the follower may not serve; empty when it may.

    Args:
        migrates: whether a release is at work. What a contract step takes away is still there, or locked, on a
            follower that has not replayed it.
        lag: seconds; None: not known.
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
