"""SQLSTATE: which database errors are temporary, and which are bugs of ours.

The classes of the driver do not tell. Its OperationalError is "disk full", and also "program limit exceeded", which the
same statement meets again for ever; its InternalError is "read-only transaction", and also "data corrupted".
The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from psycopg2 import errorcodes
from psycopg2.extensions import Diagnostics
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from app.extensions import db

TRANSIENT_CLASSES = (
    errorcodes.CLASS_CONNECTION_EXCEPTION,
    errorcodes.CLASS_TRANSACTION_ROLLBACK,  # serialization failure, deadlock, conflict with recovery
    errorcodes.CLASS_INSUFFICIENT_RESOURCES,  # disk, memory, connections
    errorcodes.CLASS_OPERATOR_INTERVENTION,  # shutdown, statement timeout, starting up
    errorcodes.CLASS_SYSTEM_ERROR,  # I/O error
)
TRANSIENT = {
    errorcodes.OBJECT_IN_USE,
    errorcodes.LOCK_NOT_AVAILABLE,
    errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    "25P04",  # transaction_timeout, since PostgreSQL 17; the driver has no name for it
}
READ_ONLY = {
    errorcodes.READ_ONLY_SQL_TRANSACTION,  # a standby, or default_transaction_read_only
    errorcodes.DISK_FULL,
}
# A standby refuses with these what may be done in a read-only transaction, such as to read an UNLOGGED table (0A000),
# an explicit lock (55000) or a transaction id (25000). Elsewhere they are mistakes of ours.
REFUSED_IN_RECOVERY = {
    errorcodes.FEATURE_NOT_SUPPORTED,
    errorcodes.OBJECT_NOT_IN_PREREQUISITE_STATE,
    errorcodes.INVALID_TRANSACTION_STATE,
}

_IN_RECOVERY = text("SELECT pg_is_in_recovery()")


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's error code; None when it did not get to answer."""
    return getattr(getattr(error, "orig", None), "pgcode", None)


def server_message(error: DBAPIError) -> str:
    """Return the first line of what PostgreSQL, or its driver, said."""
    return str(error.orig).splitlines()[0]


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint; None for NOT NULL. A handler raises those that it does not know."""
    diagnostics: Diagnostics | None = getattr(error.orig, "diag", None)
    return diagnostics.constraint_name if diagnostics else None


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
