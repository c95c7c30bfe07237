"""Compare databases by a fingerprint: everything in its catalog and in its tables that a migration can change.

It asks PostgreSQL for definitions and shares no code with app.release, so it can bear witness about it. One statement
for the catalog and one for the rows, since `pg_dump` would take longer than most tests.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, text

Fingerprint = frozenset[tuple[str, ...]]

_USERS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"

_CATALOG = Path(__file__).with_suffix(".sql").read_text()
_TABLES = text(
    "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace"
    f" WHERE relkind IN ('r', 'm') AND {_USERS}"
)
# With xmin, the transaction that wrote the row, so that a row that was written as it was shows too.
_ROWS = (
    "SELECT 'rows', '{0}', count(*) || ' ' || coalesce(sum(hashtextextended(r.xmin::text || r::text, 0)), 0) FROM {0} r"
)


def fingerprint(engine: Engine) -> Fingerprint:
    """Return a fingerprint. Two of them are equal when nothing was changed in between; what differs says what was."""
    with engine.connect() as connection:
        return frozenset(_catalog(connection) | _rows(connection))


def schema_fingerprint(engine: Engine) -> Fingerprint:
    """Return the same without the rows."""
    with engine.connect() as connection:
        return frozenset(_catalog(connection))


def _catalog(connection: Connection) -> set[tuple[str, ...]]:
    return {tuple(row) for row in connection.exec_driver_sql(_CATALOG)}


def _rows(connection: Connection) -> set[tuple[str, ...]]:
    tables = connection.scalars(_TABLES).all()
    return {tuple(row) for row in connection.exec_driver_sql(" UNION ALL ".join(map(_ROWS.format, tables)))}
