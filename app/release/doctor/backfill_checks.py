"""Checks of long backfills, of which `schema_backfills` keeps the state: those that do not go on by themselves."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from app.release.doctor.diagnosis import ERROR, WARNING, Diagnosis

_IS_THERE = text("SELECT to_regclass('schema_backfills') IS NOT NULL")
_UNFINISHED = text(
    "SELECT name, table_name, state, rows_done,"
    " extract(epoch FROM clock_timestamp() - updated_at)::int AS idle_for"
    " FROM schema_backfills WHERE state IN ('failed', 'paused')"
    " OR state = 'running' AND clock_timestamp() - updated_at >= make_interval(secs => :seconds) ORDER BY name"
)


def unfinished_backfills(connection: Connection, stalled: int) -> Iterator[Diagnosis]:
    """Those that failed, are paused, or have done nothing for long. The contract step waits for each of them.

    Args:
        stalled: seconds from which on one that should run is reported.
    """
    if not connection.scalar(_IS_THERE):
        return
    for row in connection.execute(_UNFINISHED, {"seconds": stalled}):
        named = f"The backfill {row.name} of {row.table_name}"
        if row.state == "failed":
            what = f"{named} failed at a row that it cannot fill; `flask release status` says which. Fix it first."
            yield Diagnosis(ERROR, "backfill-failed", what, f"flask release resume {row.name}")
        elif row.state == "paused":
            what = f"{named} is paused, after {row.rows_done} rows."
            yield Diagnosis(WARNING, "backfill-paused", what, f"flask release resume {row.name}")
        else:
            what = f"{named} has done nothing for {row.idle_for} s: does the worker run?"
            yield Diagnosis(WARNING, "backfill-stalled", what, "flask release status")
