"""Rows of named columns straight from the driver, of a statement that SQLAlchemy compiles once.

To execute it costs SQLAlchemy as much as psycopg: it looks the statement up by its parts, reads what the columns are,
and wraps each row. Of the list, that was an eighth of the web's CPU.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from keyword import iskeyword
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import no_result
from sqlalchemy import Connection, Dialect, Insert, Row, Select, TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import ARRAY, JSON, Boolean, Date, DateTime, Integer, NullType, String, TypeEngine, Uuid

Statement = Select[*tuple[Any, ...]] | ReturningInsert[*tuple[Any, ...]] | TextClause

# psycopg's values of these are those of SQLAlchemy, but where a type says that it makes other ones of them (Enum).
PLAIN = (String, Integer, Boolean, Date, DateTime, Uuid, JSON, NullType)


class Rows(list[Row[*tuple[Any, ...]]]):
    """Hold named tuples. Methods are those of SQLAlchemy's Result, and so is the type of a row for the type checker."""

    def all(self) -> "Rows":
        return self

    def one(self) -> Row[*tuple[Any, ...]]:
        """Raises: ValueError: there are none, or several."""
        [row] = self
        return row

    def one_or_none(self) -> Row[*tuple[Any, ...]] | None:
        """Raises: ValueError: there are several."""
        return self.one() if self else None


class Compiled(NamedTuple):
    sql: str
    values: Mapping[str, Any]  # of the parameters that the statement brings along
    computed: Mapping[str, Callable[[], Any]]  # those of them that are asked for each time, such as a quota
    written: Mapping[str, Callable[[Any], Any]]  # how a value is written that is not sent as it is

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        bound = {**self.values, **{name: compute() for name, compute in self.computed.items()}, **parameters}
        for name, write in self.written.items():
            bound[name] = write(bound[name])
        return bound


def fetch(connection: Connection, statement: Statement, parameters: Mapping[str, Any]) -> Rows:
    """Run a statement and return its rows. SQLAlchemy does it where a value is not the driver's own, as of an Enum.

    It is made once, such as at a module's top: it is kept, with what it is compiled to.
    Raises: DBAPIError, and as it is what the type of a parameter raises.
    """
    compiled = _compile(statement, connection.dialect)
    if compiled is None:
        return Rows(connection.execute(statement, parameters))
    bound = compiled.bind(parameters)
    driver: Any = connection.connection.driver_connection
    try:
        return Rows(driver.cursor(row_factory=_named).execute(compiled.sql, bound).fetchall())
    except psycopg.Error as error:
        raise _as_sqlalchemy_raises(connection, error, compiled.sql, bound) from error


def _named(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Any]:
    result = cursor.pgresult
    return no_result if result is None else _row(*map(result.fname, range(result.nfields)))


@lru_cache(maxsize=512)
def _row(*names: bytes | None) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a row. A column of a text whose name a named tuple cannot have is found by its place."""
    made: Any = namedtuple("Row", [(name or b"").decode() for name in names], rename=True)  # type: ignore[misc]
    maker: Callable[[Sequence[Any]], Any] = made._make
    return maker


@lru_cache(maxsize=512)
def _compile(statement: Statement, dialect: Dialect) -> Compiled | None:
    """Return None for what SQLAlchemy has to execute itself."""
    columns: list[Any] = [] if isinstance(statement, TextClause) else list(statement.exported_columns)
    keys = {column.key for column in columns}
    names = {getattr(column, "name", None) for column in columns}  # in SQL
    if len(keys) < len(columns) or not all(map(_is_name, keys | names)):
        return None
    if not all(_is_plain(column.type, dialect) for column in columns):
        return None
    compiled: Any = statement.compile(dialect=dialect)
    if isinstance(statement, Insert) and (statement.select is None or compiled.insert_prefetch):
        return None  # its columns are those of the parameters, or Python computes one
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    if compiled.escaped_bind_names or any(bind.expanding or bind.literal_execute for bind in binds.values()):
        return None
    writers = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in binds.items()}
    return Compiled(
        str(compiled),
        {name: bind.value for name, bind in binds.items() if not (bind.required or bind.callable)},
        {name: bind.callable for name, bind in binds.items() if bind.callable},
        {name: write for name, write in writers.items() if write},
    )


def _is_name(name: str | None) -> bool:
    """Return whether a named tuple can have it; None is that of a function, which SQLAlchemy makes up."""
    return name is None or (name.isidentifier() and not iskeyword(name) and not name.startswith("_"))


def _is_plain(kind: TypeEngine[Any], dialect: Dialect) -> bool:
    if isinstance(kind, ARRAY):
        return not kind.as_tuple and _is_plain(kind.item_type, dialect)
    return isinstance(kind, PLAIN) and kind.dialect_impl(dialect).result_processor(dialect, None) is None


def _as_sqlalchemy_raises(connection: Connection, error: psycopg.Error, sql: str, bound: dict[str, Any]) -> Exception:
    """Return the error in SQLAlchemy's class. A connection that is lost is dropped by the pool."""
    dialect: Any = connection.dialect
    is_lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if is_lost:
        connection.invalidate(error)
    hidden = connection.engine.hide_parameters
    return DBAPIError.instance(sql, bound, error, psycopg.Error, hidden, is_lost, dialect)
