"""The extensions, unbound: create_app() binds them. Everything can import it: it imports how rows are read alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from flask import g, has_app_context
from flask_babel import Babel
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import BigInteger, Connection, DateTime, Engine, Identity, MetaData, Select
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry

from app.database.rows import Rows, Statement, fetch

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Name every constraint after its table and columns, so that a migration can drop it by name.

    Every time is stored with its zone.
    """

    registry = registry(
        metadata=MetaData(naming_convention=NAMING_CONVENTION), type_annotation_map={datetime: DateTime(timezone=True)}
    )


Id = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]


class OneConnectionSession(Session):
    """Give the session of a request in autocommit the connection of `read`, and not one more from the pool."""

    def get_bind(self, *arguments: Any, **named: Any) -> Engine | Connection:
        if g.get("in_autocommit"):
            return reading_connection()
        release_reading_connection()
        return super().get_bind(*arguments, **named)


# A row that was read stays as it was read: nothing is fetched again behind a commit.
SESSION: dict[str, Any] = {"expire_on_commit": False, "class_": OneConnectionSession}
db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options=SESSION)
login = LoginManager()
csrf = CSRFProtect()
babel = Babel()


def read(statement: Select[*tuple[Any, ...]], parameters: Mapping[str, Any]) -> Rows:
    """Run a query for rows of named columns, without the ORM. See app/database/rows.py.

    The ORM's bookkeeping is for entities. Without one it costs as much again as the statement.
    """
    # A follower, when app/follower has chosen it for this request.
    elsewhere = g.get("read_elsewhere") if has_app_context() else None
    found: Rows = (elsewhere or on_primary)(statement, parameters)
    return found


def on_primary(statement: Statement, parameters: Mapping[str, Any]) -> Rows:
    """Run a statement for its rows, one that writes in the session's transaction. The caller commits."""
    return fetch(reading_connection(), statement, parameters)


@contextmanager
def autocommit() -> Iterator[None]:
    """Let each statement of the block that returns rows be a transaction of its own.

    Not for what the session sends, and not while it is in a transaction.
    """
    before, g.in_autocommit = g.get("in_autocommit", False), True
    try:
        yield
    finally:
        g.in_autocommit = before


def reading_connection() -> Connection:
    """Return the session's own; for a request in autocommit, one without a session, which would cost 60 µs more."""
    if not g.get("in_autocommit"):  # app/web/access.py says so
        return db.session.connection()
    if "connection" not in g:
        g.connection = db.engine.connect()
    opened: Connection = g.connection
    return opened


def release_reading_connection() -> None:
    """Give the connection of `read` back to the pool until the next one, as before a wait."""
    connection: Connection | None = g.pop("connection", None)
    if connection:
        connection.close()
