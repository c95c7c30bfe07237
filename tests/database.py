"""What the tests ask the database."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from psycopg import ServerCursor
from psycopg.sql import quote
from sqlalchemy import Column, Engine, Executable, Table, event, func, select, text

from app.database.connection import Cursor
from app.extensions import Base, db

KEPT_BY_TRIGGERS = ("figures", "tag_counts", "note_tags", "deletions")
KEPT_BY_REVISIONS = ("database_marks",)  # with one row, which is all that it may have


def row_counts() -> dict[str, int]:
    """Count the rows of each table, for "and nothing was stored".

    Without what stores that somebody tried (rate limits, events, which request deferred a job), what triggers keep of
    the other rows, and the mark of the database.
    """
    return {
        table.name: db.session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
        if table.name not in ("rate_limits", "account_events", "job_records", *KEPT_BY_TRIGGERS, *KEPT_BY_REVISIONS)
    }


def commit(statement: Executable, parameters: Any = None) -> None:
    """Execute a statement, and commit, so that what the code rolls back does not take it along."""
    db.session.execute(statement, parameters)
    db.session.commit()


@contextmanager
def same_row_counts() -> Iterator[None]:
    """Hold that the block stores nothing and deletes nothing."""
    before = row_counts()
    yield
    changed = dict(row_counts().items() - before.items())
    assert changed == {}, f"rows were stored or deleted; now there are {changed}"


@contextmanager
def watching(notice: Callable[[Any, str, Any], object], engine: Engine | None = None) -> Iterator[None]:
    """Call `notice` with the driver's cursor, the statement and its parameters, right before each that is sent.

    Args:
        engine: whose connections alone are watched, and that are taken from now on; None: all of the service's.
    """
    taken: set[object] = set()

    def watched(send: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(cursor: Any, query: Any, parameters: Any = None, **options: Any) -> Any:
            if engine is None or cursor.connection in taken:
                notice(cursor, str(query), parameters)
            return send(cursor, query, parameters, **options)

        return noticed

    def take(connection: object, *_record: object) -> None:
        taken.add(connection)

    with pytest.MonkeyPatch.context() as patch:
        for kind, name in ((Cursor, "execute"), (Cursor, "executemany"), (ServerCursor, "execute")):
            patch.setattr(kind, name, watched(getattr(kind, name)))
        if engine:
            event.listen(engine, "checkout", take)
        yield
        if engine:
            event.remove(engine, "checkout", take)


@contextmanager
def right_before(part: str, happens: str | Callable[[], object]) -> Iterator[None]:
    """Let another session, so to speak, do this right before the first statement with this part is sent.

    It is in the transaction of the test, so a rollback behind it takes it back too.
    """
    connection, has_happened = db.session.connection(), False

    def act(_cursor: object, statement: str, _parameters: object) -> None:
        nonlocal has_happened
        if part in statement and not has_happened:
            has_happened = True
            connection.exec_driver_sql(happens) if isinstance(happens, str) else happens()

    with watching(act):
        yield
    assert has_happened, f"no statement with {part}"


# The values of a row that was made up, as SQL, by the type of the column.
MADE_UP = {
    "bool": "false", "bytes": r"'\x00'", "date": "current_date", "datetime": "now()", "dict": "'{}'", "list": "'{}'",
    "str": "left(md5(random()::text), %s)", "time": "'12:00'", "timedelta": "'1 day'", "UUID": "gen_random_uuid()",
}  # fmt: skip


def insert_made_up(table: Table, owners: str, **given: str) -> list[Any]:
    """Insert a row for each of the `owners`, a query of users: what a table needs, by its columns alone.

    For the tables of features that no test of the house knows. `given` names the values of columns, as SQL. Returns the
    primary keys.
    """
    needed = [column for column in table.columns if not (column.nullable or column.server_default or column.identity)]
    values = {column.name: _made_up(column) for column in needed} | given
    key, *_ = table.primary_key
    rows = f"INSERT INTO {table.name} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM owner"
    return list(db.session.scalars(text(f"WITH owner AS ({owners}) {rows} RETURNING {key.name}")))


def _made_up(column: Column[Any]) -> str:
    for key in column.foreign_keys:
        parent = key.column.table
        of_owner = "WHERE user_id = owner.id " if "user_id" in parent.columns else ""
        newest = f"(SELECT {key.column.name} FROM {parent.name} {of_owner}ORDER BY id DESC LIMIT 1)"
        return "owner.id" if parent.name == "users" else newest
    return MADE_UP.get(column.type.python_type.__name__, "1").replace("%s", str(getattr(column.type, "length", 0) or 9))


def made_up_id(name: str, user_id: int) -> Any:
    """Make up a row of the user's, and return its id: `book_id`, as a path calls it, is that of a row of `books`."""
    one, tables = name.removesuffix("_id"), Base.metadata.tables
    [table] = (tables[many] for many in (f"{one}s", f"{one}es", f"{one[:-1]}ies") if many in tables)
    [row_id] = insert_made_up(table, f"SELECT * FROM users WHERE id = {user_id}")
    return row_id


# As the driver sends them.
TYPES = {int: "bigint", bool: "boolean", timedelta: "interval", datetime: "timestamptz", date: "date"}
EXPLAIN = "EXPLAIN (ANALYZE, VERBOSE, TIMING OFF, FORMAT JSON)"


def plan(cursor: Any, statement: str, parameters: Mapping[str, Any]) -> Any:
    """Run a statement, and return the plan that was made for its values."""
    cursor.execute(f"{EXPLAIN} {statement}", parameters)
    return cursor.fetchone()[0][0]


def generic_plan(cursor: Any, statement: str, parameters: Mapping[str, Any]) -> Any:
    """Run a statement by the plan that PostgreSQL may keep of a prepared one, made for any values, and return it."""
    names = [name for name in parameters if f"%({name})s" in statement]
    numbered = statement % {name: f"${number}" for number, name in enumerate(names, start=1)}
    types = ", ".join(TYPES.get(type(parameters[name]), "unknown") for name in names)
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    cursor.execute(f"PREPARE probe ({types}) AS {numbered}" if names else f"PREPARE probe AS {numbered}", prepare=False)
    values = ", ".join(quote(parameters[name], cursor) for name in names)
    cursor.execute(f"{EXPLAIN} EXECUTE probe ({values})" if names else f"{EXPLAIN} EXECUTE probe", prepare=False)
    found = cursor.fetchone()[0][0]
    cursor.execute("DEALLOCATE probe")
    cursor.execute("RESET plan_cache_mode")
    return found


def nodes(top: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan."""
    yield top
    for child in top.get("Plans", ()):
        yield from nodes(child)


def rows_read(node: dict[str, Any]) -> float:
    """Count the rows of a table or an index, with those that a condition sorted out."""
    if "Relation Name" not in node and node["Node Type"] != "Bitmap Index Scan":
        return 0
    looked_at = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return float(sum(node.get(name, 0) for name in looked_at) * node["Actual Loops"])


# A parameter that is a text, read as another type by each row that a node returns: a generic plan does not do it once.
CAST = re.compile(r"\(\$\d+\)(?:::[\w ]+\))*::(?:timestamp|date|json|[\w ]+\[\])")


def casts(node: dict[str, Any]) -> list[str]:
    """Find what a node of a generic plan casts again for each row."""
    own = {name: value for name, value in node.items() if name != "Plans"}
    return [] if node["Node Type"] == "Result" else CAST.findall(str(own))
