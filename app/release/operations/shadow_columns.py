"""The shadow of a column whose type changes: its dual write, its swap, and what has to hold before each of them."""

from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from app.release.deadline import Deadline
from app.release.errors import DeadlineExceeded, ReleaseError, UnsafeOperation, server_message
from app.release.operations import catalog, column_uses
from app.release.operations.column_swap import Swap
from app.release.operations.column_uses import ColumnState, Uses
from app.release.operations.dual_writes import DualWrite, assign, trigger_name
from app.release.operations.identifiers import shadow_of
from app.release.operations.row_expressions import columns_read, differs
from app.release.operations.steps import Step
from app.release.sql.dialect import quote

SNAPSHOT_POLL = 0.2  # seconds


class TypeChange(NamedTuple):
    """
    Args:
        type: as the revision writes it.
        name: of the type, as the server calls it.
        forth, back: SQL over the column.
    """

    table: str
    column: str
    type: str
    name: str
    forth: str
    back: str
    pk: str

    @property
    def shadow(self) -> str:
        return shadow_of(self.column)

    def dual_write(self, expression: str) -> DualWrite:
        """The trigger that writes the shadow. It names the columns, so it goes on when they swap names."""
        assignment = assign(self.table, self.shadow, expression, (self.column,))
        return DualWrite(self.table, self.shadow, assignment, (self.column,))

    def swap(self, state: ColumnState, uses: Uses, recompile: list[str]) -> Step:
        swap = Swap(self.table, self.column, self.name, state, uses)
        statements = [*swap.statements(), self.dual_write(self.back).create_function(), *recompile]
        parameters = {**catalog.column_parameters(self.table, self.column), "type": self.name}
        return Step("; ".join(statements), f"SELECT {_HAS_OTHER_TYPE}", parameters, alters=swap.tables)


def refuse_obstacles(connection: Connection, table: str, column: str) -> None:
    obstacles = column_uses.read_obstacles(connection, table, column, trigger_name(table, shadow_of(column)))
    if obstacles:
        raise UnsafeOperation(
            f"{', '.join(obstacles)} cannot be carried over to another column, so {table}.{column} stays as it is. Drop"
            " that before and make it again after it, in revisions of their own."
        )


def refuse_other_shadow(connection: Connection, table: str, column: str, new_type: str) -> None:
    """A shadow of another type: of an earlier attempt, whose revision was changed since, or of an earlier change."""
    shadow = shadow_of(column)
    if not connection.scalar(text(f"SELECT {catalog.HAS_COLUMN}"), catalog.column_parameters(table, shadow)):
        return
    state = column_uses.read_state(connection, table, shadow)
    if state.type != new_type:
        raise ReleaseError(
            f"{table}.{column} still has the shadow of another change, {shadow} {state.type}. End that one first, in a"
            f" revision of its own: drop_shadow_contract({table!r}, {column!r})"
        )


def refuse_other_columns(connection: Connection, change: TypeChange) -> None:
    """
    Raises:
        UnsafeOperation: the new value is not an expression over the column alone, which is all that the trigger has.
    """
    others = set(columns_read(connection, change.table, change.forth, change.type)) - {change.column}
    if others:
        raise UnsafeOperation(
            f"{change.forth!r} reads {', '.join(sorted(others))} too, so {change.table}.{change.column} stays as it is."
            " Add a column of the new type, with add_synced_column_online."
        )


def require_lossless(connection: Connection, change: TypeChange, old_type: str) -> None:
    """
    Raises:
        UnsafeOperation: a value would not come back from the new type as it was.
    """
    column = quote(change.column)
    both = f"SELECT {column} AS former, {quote(change.shadow)} AS {column} FROM {quote(change.table)}"
    returned = f"CAST({change.back} AS {old_type})"
    # A json may be spelled in many ways; jsonb keeps what it means.
    is_lost = (
        f"{returned} IS NULL AND former IS NOT NULL" if old_type == "json" else differs("former", returned, old_type)
    )
    query = f"SELECT count(*) FROM ({both}) AS {quote(change.table)} WHERE {is_lost}"
    try:
        lost = connection.scalar(text(query.replace(":", r"\:")))
    except ProgrammingError as error:
        raise UnsafeOperation(f"{change.back!r} is not a value for {change.table}: {server_message(error)}") from error
    if lost:
        raise UnsafeOperation(
            f"{lost} values of {change.table}.{change.column} would be lost as {change.type}, so the column stays as it"
            " is. Fix the rows, then run the command again."
        )


def wait_for_older_snapshots(connection: Connection, deadline: Deadline) -> None:
    """A transaction that reads rows as they were before the backfill would find NULL under the column's name.

    CREATE INDEX CONCURRENTLY waits for the same reason.

    Raises:
        DeadlineExceeded: such a transaction did not end in time.
    """
    now = connection.scalar(text("SELECT pg_current_xact_id()::xid::text"))
    while older := connection.execute(_OLDER_SNAPSHOT, {"now": now}).one_or_none():
        if not deadline.left():
            raise DeadlineExceeded(
                f"The deadline of {deadline.seconds:.0f} s passed, waiting for a transaction that reads what was there"
                f" before: pid={older.pid} application={older.application_name}. When it is over, run: flask db upgrade"
            )
        deadline.sleep(SNAPSHOT_POLL)


_OLDER_SNAPSHOT = text(
    "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend' AND age(backend_xmin) >= age(CAST(:now AS xid)) ORDER BY xact_start LIMIT 1"
)
_HAS_OTHER_TYPE = (
    "(SELECT format_type(atttypid, atttypmod) <> :type FROM pg_attribute"
    " WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped)"
)
