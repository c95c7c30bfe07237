"""SQLSTATE: which database errors are temporary, and which are bugs of ours.

The classes of the driver do not tell. Its OperationalError is "disk full", and also "program limit exceeded", which the
same statement meets again for ever; its InternalError is "read-only transaction", and also "data corrupted".
The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from app.extensions import db

TRANSIENT_CLASSES = (
    "08",  # connection exception
    "40",  # transaction rollback: serialization failure, deadlock, conflict with recovery
    "53",  # insufficient resources: disk, memory, connections
    "57",  # operator intervention: shutdown, statement timeout, starting up
    "58",  # system error: I/O
)
TRANSIENT = {
    "55006",  # object in use
    "55P03",  # lock not available
    "25P03",  # idle in transaction session timeout
    "25P04",  # transaction timeout, since PostgreSQL 17
}
READ_ONLY = {
    "25006",  # read only SQL transaction: a standby, or default_transaction_read_only
    "53100",  # disk full
}
# A standby refuses with these what may be done in a read-only transaction, such as to read an UNLOGGED table (0A000),
# an explicit lock (55000) or a transaction id (25000). Elsewhere they are mistakes of ours.
REFUSED_IN_RECOVERY = {"0A000", "55000", "25000"}
NOT_MIGRATED = {"42P01", "42703"}  # undefined table, undefined column

_IN_RECOVERY = text("SELECT pg_is_in_recovery()")


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's error code; None when it did not get to answer."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def server_message(error: DBAPIError) -> str:
    """Return the first line of what PostgreSQL, or its driver, said."""
    return str(error.orig).splitlines()[0]


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint; None for NOT NULL. A handler raises those that it does not know."""
    return error.orig.diag.constraint_name if isinstance(error.orig, psycopg.Error) else None


def takes_no_changes(error: BaseException) -> bool:
    """Return whether the database saves nothing. A standby may say it otherwise: `is_refused_by_standby`."""
    return sqlstate(error) in READ_ONLY


def is_refused_by_standby(error: DBAPIError) -> bool:
    """Return whether the database is a standby, as during a failover, and refused the statement for that.

    The code alone does not tell, and the message is in the language of the server's lc_messages. So the database is
    asked, in a new transaction; the failed one is rolled back. A standby that was promoted just now says no.
    Raises: SQLAlchemyError when it does not answer any more.
    """
    if sqlstate(error) not in REFUSED_IN_RECOVERY:
        return False
    db.session.rollback()
    return bool(db.session.scalar(_IN_RECOVERY))


def is_transient(error: DBAPIError) -> bool:
    """Return whether the database cannot do this now but may a little later, so that another try is worth it."""
    code = sqlstate(error)
    if error.connection_invalidated:
        return True
    if code is None:
        return isinstance(error, OperationalError | InterfaceError)
    return code.startswith(TRANSIENT_CLASSES) or code in TRANSIENT
