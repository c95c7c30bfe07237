"""Checks of rows: sequences that are behind their keys, and long backfills that have stopped."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from online_migrations.backfills import store
from online_migrations.doctor.diagnosis import ERROR, WARNING, Diagnosis, psql, query
from online_migrations.sql import literal

_SEQUENCES = query("sequences.sql")


def sequences_behind(connection: Connection, schemas: list[str]) -> Iterator[Diagnosis]:
    """Find sequences whose next number is not above the highest key, as after a restore: inserts fail.

    Args:
        schemas: besides those on the search path.
    """
    found = list(connection.execute(_SEQUENCES, {"schemas": schemas}))
    if not found:
        return
    positions = connection.execute(text(" UNION ALL ".join(map(_position, range(len(found)), found)) + " ORDER BY 1"))
    for key, position in zip(found, positions, strict=True):
        if position.highest is not None and position.next <= position.highest:
            what = (
                f"The sequence {key.sequence} gives {position.next:,}, and {key.table}.{key.column} is at"
                f" {position.highest:,}: inserts fail."
            )
            catch_up = f"SELECT setval({literal(key.sequence)}, max({key.column})) FROM {key.table}"
            yield Diagnosis(ERROR, "sequence-behind", what, psql(catch_up))


def _position(number: int, key: Row[Any]) -> str:
    """Write the query for the highest key, and for what the sequence gives next. The server has quoted the names."""
    highest = f"(SELECT max({key.column}) FROM {key.table}) AS highest"
    following = f"CAST(last_value AS numeric) + CASE WHEN is_called THEN {key.increment} ELSE 0 END AS next"
    return f"SELECT {number} AS number, {highest}, {following} FROM {key.sequence}"


def unfinished_backfills(connection: Connection) -> Iterator[Diagnosis]:
    """Find backfills that failed, are paused, or have done nothing for long. The contract step waits for each."""
    for one in store.unfinished_backfills(connection):
        named = f"The backfill {one.name} of {one.table_name}"
        if one.state == store.FAILED:
            what = f"{named} failed at a row that it cannot fill; `flask release status` says which. Fix it first."
            yield Diagnosis(ERROR, "backfill-failed", what, f"flask release resume {one.name}")
        elif one.state == store.PAUSED:
            what = f"{named} is paused, after {one.rows_done} rows."
            yield Diagnosis(WARNING, "backfill-paused", what, f"flask release resume {one.name}")
        elif store.is_stalled(one):
            what = f"{named} has done nothing for {one.idle_for:.0f} s: does the worker run?"
            yield Diagnosis(WARNING, "backfill-stalled", what, "flask release status")
