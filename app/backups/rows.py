"""Compare the rows of a restored dump with those of the live database, by their keys.

What is missing in the dump and should be in it: a row of the live database that is older than the dump. How old a row
is says its `created_at`, which the database sets, and for some tables its id, see OWN_DATES. Rows that the dump has and
the live database has not were deleted since, or lost there: no comparison can tell, so they are counted and no loss.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from app.release import options

# People import rows with dates of their own, and the demo account is given one. Of them, rows above the sequence that
# stands in the dump are younger than the dump, whatever their dates say.
OWN_DATES = frozenset({"notes", "todos", "results", "users"})
BATCH = 20_000  # keys at a time from each side, so that memory does not grow with the tables
NAMED = 5  # keys that a sentence lists

# Not UNLOGGED ones, which any crash empties.
_TABLES = text(
    """
SELECT c.relname AS name, quote_ident(c.relname) AS quoted,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'created_at' AND NOT a.attisdropped)
    AS is_dated,
  (SELECT pg_get_serial_sequence(quote_ident(c.relname), 'id') FROM pg_attribute a
   WHERE a.attrelid = c.oid AND a.attname = 'id' AND NOT a.attisdropped) AS sequence
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
ORDER BY c.relname
""".replace("::", r"\:\:")
)


class TableReport(NamedTuple):
    """
    Args:
        dumped: rows in the dump.
        lost: rows that the dump should have and has not; None: the table's rows are not compared one by one.
        first_lost: the lowest keys of them.
        gone: rows of the dump that the live database has not.
        new: rows of the live database that are younger than the dump.
    """

    name: str
    dumped: int
    lost: int | None = None
    first_lost: tuple[int, ...] = ()
    gone: int = 0
    new: int = 0


def tables(connection: Connection) -> dict[str, Row[Any]]:
    return {table.name: table for table in connection.execute(_TABLES)}


def compare(live: Connection, restored: Connection, made_at: datetime) -> Iterator[TableReport]:
    """A report for each table that both have.

    Args:
        live: in a transaction that sees one moment (REPEATABLE READ).
        made_at: when the dump began.
    """
    live_tables, restored_tables = tables(live), tables(restored)
    for name in sorted(live_tables.keys() & restored_tables.keys()):
        table = restored_tables[name]
        # Jobs come and go, and tables without an id are counted from others (app/figures) or the tools' own.
        if options.is_of_a_tool(name) or table.sequence is None:
            counted = restored.scalar(text(f"SELECT count(*) FROM {table.quoted}"))  # noqa: S608 - quoted by the server
            yield TableReport(name, counted)
        else:
            yield _compare_keys(live, restored, table, made_at)


def _compare_keys(live: Connection, restored: Connection, table: Row[Any], made_at: datetime) -> TableReport:
    highest = restored.scalar(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table.sequence}"))  # noqa: S608
    is_older = ["created_at < :made_at"] if table.is_dated else []
    if not table.is_dated or table.name in OWN_DATES:
        is_older.append("id <= :highest")
    live_keys = text(f"SELECT id, {' AND '.join(is_older)} AS is_older FROM {table.quoted} ORDER BY id")  # noqa: S608
    dumped_keys = text(f"SELECT id, true AS is_older FROM {table.quoted} ORDER BY id")  # noqa: S608
    dumped = gone = new = 0
    lost: list[int] = []
    lost_count = 0
    bounds = {"made_at": made_at, "highest": highest}
    given = {name: value for name, value in bounds.items() if f":{name}" in str(live_keys)}
    for key, is_live, is_dumped, older in _merged(_stream(live, live_keys, given), _stream(restored, dumped_keys, {})):
        dumped += is_dumped
        if is_live and not is_dumped:
            new += not older
            lost_count += older
            if older and len(lost) < NAMED:
                lost.append(key)
        gone += is_dumped and not is_live
    return TableReport(table.name, dumped, lost_count, tuple(lost), gone, new)


def _stream(connection: Connection, keys: Any, parameters: dict[str, Any]) -> Iterator[tuple[int, bool]]:
    rows = connection.execute(keys, parameters, execution_options={"stream_results": True, "yield_per": BATCH})
    for row in rows:
        yield row.id, row.is_older


def _merged(
    live: Iterator[tuple[int, bool]], dumped: Iterator[tuple[int, bool]]
) -> Iterator[tuple[int, bool, bool, bool]]:
    """Each key of two sorted streams once: (key, whether it is live, whether it is dumped, whether it is older)."""
    one, other = next(live, None), next(dumped, None)
    while one or other:
        if other is None or (one and one[0] < other[0]):
            assert one  # noqa: S101 - the loop goes on while there is one of them
            yield one[0], True, False, one[1]
            one = next(live, None)
        elif one is None or other[0] < one[0]:
            yield other[0], False, True, True
            other = next(dumped, None)
        else:
            yield one[0], True, True, one[1]
            one, other = next(live, None), next(dumped, None)
