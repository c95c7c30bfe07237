"""Tell a database that was restored, or copied, from the one that wrote its rows; and one in which two are mixed.

PostgreSQL gives each row the number of the transaction that wrote it (xmin). The one row of `database_marks` holds the
number too: what dump and restore, or logical replication, write again elsewhere has another xmin. A copy of the files,
such as a fork or a restore to a point in time, is not told apart.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

_THERE = text("SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL")
_IS_COPY = text(
    "SELECT EXISTS (SELECT FROM database_marks WHERE xid % 4294967296 <> CAST(CAST(xmin AS text) AS bigint))"
)
_NEWEST = text(
    "SELECT coalesce(to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), 'an unknown time') FROM ("
    "(SELECT created_at FROM user_sessions ORDER BY id DESC LIMIT 1) UNION ALL"
    " (SELECT created_at FROM account_events ORDER BY id DESC LIMIT 1) UNION ALL"
    " (SELECT created_at FROM users ORDER BY id DESC LIMIT 1)) newest (at)"
)
_PATIENCE = text("SET LOCAL lock_timeout = '30s'")  # for requests that use a session
_MARK = text("UPDATE database_marks SET xid = DEFAULT")
# Of the oldest alone, which are those of the database that was there before.
_OLDER_THAN_OWNER = text(
    "SELECT count(*) FROM ((SELECT user_id, created_at FROM user_sessions ORDER BY id LIMIT 1000) UNION ALL"
    " (SELECT user_id, created_at FROM account_events ORDER BY id LIMIT 1000)) of_account (owner, at)"
    " JOIN users ON users.id = owner WHERE at < created_at - interval '1 hour'"
)
_ANEW = "flask restore latest.dump --into URL_OF_AN_EMPTY_DATABASE"

# A thief may hold one of these that its owner had ended since the dump. The words are those that are printed.
ENDED = {
    "user_sessions": "sessions",
    "access_tokens": "tokens of the API",
    "account_tokens": "links of mails to an account",
    "sign_up_links": "links of mails to sign up",
    "note_shares": "links of shared notes",
}


def faults(connection: Connection) -> Iterator[tuple[str, str, str, str]]:
    """Find what `flask release doctor` cannot see in the schema, as online_migrations.Options has it."""
    of_people = ("users", "user_sessions", "account_events")
    there = set(connection.scalars(_THERE, {"names": [*of_people, "database_marks"]}))
    if "database_marks" in there and connection.scalar(_IS_COPY):
        what = (
            f"This database was restored from a backup, or copied; its newest row is of {connection.scalar(_NEWEST)}."
            " What people ended or changed since then is back: sessions, tokens of the API, shared links, passkeys,"
            " recovery codes, second steps, passwords, addresses."
        )
        yield "warning", "restored", what, "flask acknowledge-restore"
    if there.issuperset(of_people) and (count := connection.scalar(_OLDER_THAN_OWNER)):
        what = (
            f"{count} of the oldest sessions and events are older than their account: rows of two databases are mixed."
        )
        yield "error", "older-than-owner", f"{what} Restore again, into an empty database.", _ANEW


def acknowledge(connection: Connection, *, ends: bool) -> dict[str, int] | None:
    """Make the database one of its own, and end what can be ended of what a backup brought back. Commits.

    Returns: by the words of ENDED how many there were; None: the database is no copy.
    """
    connection.execute(_PATIENCE)
    if not connection.scalar(_IS_COPY):
        return None
    ended = ENDED if ends else {}
    counts = {what: connection.execute(text(f"DELETE FROM {table}")).rowcount for table, what in ended.items()}  # noqa: S608
    connection.execute(_MARK)
    connection.commit()
    return counts
