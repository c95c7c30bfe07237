"""Change the type of a column beside the traffic: a shadow column, a dual write, a backfill, a swap of the names.

The shadow is given NOT NULL, indexes and constraints, in the server's own words; default, identity and comment swap.
"""

import re
from typing import NamedTuple

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from online_migrations.connection import connection_of, execute_verbatim
from online_migrations.definitions import all_there, empty_copies
from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation, server_message
from online_migrations.locks import Deadline
from online_migrations.operations import dual_writes
from online_migrations.operations.backfill import backfill, refuse_while_filling
from online_migrations.operations.catalog import TEXTS, ask, bind
from online_migrations.operations.columns import not_null_check
from online_migrations.operations.constraints import take_name
from online_migrations.operations.dual_writes import DualWrite, differs
from online_migrations.operations.steps import Step, add_validated, autocommit, limits, online, run_steps, strong
from online_migrations.sql import alter, comment_on, literal, quote, shadow_of, shorten_identifier

INTEGERS = ("smallint", "integer", "bigint")
SNAPSHOT_POLL = 0.2  # seconds

# The comment of a column that marks it as a shadow, and says of which kind.
SHADOW_PREFIX = "shadow: "
SHADOW_TO_BE = f"{SHADOW_PREFIX}a trigger copies the column into it, whose place it takes when it is complete"
SHADOW_OF_FORMER = (
    f"{SHADOW_PREFIX}what the column was before its type changed, kept by a trigger; a later release drops it"
)


def change_type_online(
    table: str, column: str, type_: str, *, using: str | None = None, back: str | None = None, pk: str = "id"
) -> None:
    """Change the type of a column to one that the previous release reads and writes as it did the old one. Expand.

    A shadow column of the new type, COLUMN_shadow, which a trigger keeps right (dual write), is filled in batches and
    given all that stands on the column: NOT NULL, indexes, keys, CHECKs, foreign keys from and to it. Then the two swap
    names, default and identity in one short transaction, and the trigger keeps the shadow, which now has the old type.
    So the same operation with the old type swaps back, and no write is lost. drop_shadow_contract ends it.

    Args:
        type_: SQL, such as "BIGINT".
        using: SQL over the column that gives the new value; CAST(column AS type_) when not given.
        back: SQL over the column that gives the old value from the new one.
        pk: as for backfill.

    Example: change_type_online("notes", "version", "BIGINT")
    SQL: the swap locks also what foreign keys of the column refer to; before it, it waits for transactions that see
        rows as they were before the backfill. The script for --sql is for a column on which nothing stands.
    Downgrade: change_type_online with the old type, then drop_shadow_contract.
    Raises:
        UnsafeOperation: a value does not fit the new type or does not come back from it; or something stands on the
            column that cannot be carried over: a view, a generated column, an EXCLUDE, a policy, statistics,
            privileges, another trigger's condition, partitions. What was added is dropped again.
        ReleaseError: the column still has the shadow of another change.
    """
    forth = using or f"CAST({quote(column)} AS {type_})"
    change = TypeChange(table, column, type_, type_.lower(), forth, back or quote(column), pk)
    if bind() is None:
        _print(change)
        return
    with autocommit() as connection:
        state = read_state(table, column)
        with empty_copies(connection):  # of which a column tells how the server calls the type
            execute_verbatim(connection, f"CREATE TEMP TABLE dual_write_type (value {type_})")
            name = read_state("dual_write_type", "value").type
        if state.type == name:
            return
        change = change._replace(name=name, back=back or f"CAST({quote(column)} AS {state.type})")
        _refuse_obstacles(change)
    if others := {*dual_writes.columns_read(table, forth, type_)} - {column}:
        raise UnsafeOperation(
            f"{forth!r} reads {', '.join(sorted(others))} too, so {table}.{column} stays as it is. Add a column of the"
            " new type, with add_synced_column_online."
        )
    fails = f"A value of {table}.{column} cannot become {type_}"
    instead = "the column stays as it is. Fix the rows, then run the command again."

    def take_back() -> None:
        """Drop the shadow that was to be. One that holds the former type stays: it was there before."""
        if read_state(table, change.shadow).comment == SHADOW_TO_BE:
            dual_writes.drop_dual_write(table, change.shadow)

    with dual_writes.taken_back(take_back, fails, instead):
        _fill(change)
        with autocommit() as connection:
            _require_lossless(connection, change, state.type)
            uses = read_uses(connection, table, column)
        _build_twins(change, state, uses)
    for key in uses.references:  # one table at a time, so that the swap needs no lock on them
        twin = shadow_of(key.name)
        run_steps(*add_validated(key.tables, twin, key.definition), take_name(key.tables, key.name, twin))
    run_steps(online(f"ANALYZE {quote(table)}"))  # queries need statistics of the new column at once
    with autocommit() as connection:
        _wait_for_older_snapshots(connection, limits(op.get_context())[0])
    # Each session keeps a PL/pgSQL function as it compiled it, with the types that the columns had. ALTER FUNCTION to
    # what it is makes it look again.
    recompile = ask("trigger_functions", table).listed()
    run_steps(_swap(change, state, uses, recompile))


def drop_shadow_contract(table: str, column: str) -> None:
    """Drop the shadow of change_type_online, which holds the old type. There is no way back then. Contract.

    Example: drop_shadow_contract("notes", "version")
    Downgrade: none; change_type_online with the old type creates the shadow again.
    """
    refuse_while_filling("drop_shadow_contract", table=table, column=column)
    dual_writes.drop_dual_write_contract(table, shadow_of(column))


class TypeChange(NamedTuple):
    table: str
    column: str
    type: str  # as the revision writes it
    name: str  # of the type, as the server calls it
    forth: str  # SQL over the column, as is `back`
    back: str
    pk: str

    @property
    def shadow(self) -> str:
        return shadow_of(self.column)

    def dual_write(self, expression: str) -> DualWrite:
        """Return the trigger that writes the shadow. It names the columns, so it goes on when they swap names."""
        assignment = dual_writes.assign(self.table, self.shadow, expression, (self.column,))
        return DualWrite(self.table, self.shadow, assignment, (self.column,))


class ColumnState(NamedTuple):
    type: str
    not_null: bool
    default: str | None
    comment: str | None
    identity: str | None  # "ALWAYS" or "BY DEFAULT"
    sequence: str | None  # that the column owns, quoted
    sequence_options: str


class Index(NamedTuple):
    name: str
    is_unique: bool
    constraint: str | None  # "PRIMARY KEY" or "UNIQUE" when the index belongs to one
    deferral: str  # DEFERRABLE …, of the constraint
    definition: str  # what follows CREATE INDEX … ON table

    @property
    def create(self) -> str:
        return f"CREATE {'UNIQUE ' if self.is_unique else ''}INDEX"


class Constraint(NamedTuple):
    name: str
    tables: tuple[str, ...]  # its own, and that at the other end of a foreign key, which a change of it locks too
    definition: str


class Uses(NamedTuple):
    """Hold what stands on a column, each with the shadow's name in place of the column's."""

    indexes: list[Index]
    constraints: list[Constraint]  # CHECKs, and foreign keys of the column
    references: list[Constraint]  # foreign keys to the column


def read_state(table: str, column: str) -> ColumnState:
    row = ask("state", table, column=column).rows(connection_of(op.get_context())).one_or_none()
    if row is None:
        raise ReleaseError(f"There is no column {table}.{column}.")
    return ColumnState(*row)


def read_uses(connection: Connection, table: str, column: str) -> Uses:
    """Return what stands on the column, while the table has its shadow too.

    The server itself puts the shadow's name in: it describes an empty copy of the table with the column renamed.
    """
    shadow = shadow_of(column)
    indexes = [Index(*row) for row in ask("indexes", table, column=column).rows(connection)]
    checks = ask("checks", table, column=column).rows(connection).all()
    script = [
        *(f"{index.create} {quote(index.name)} ON {quote(table)} {index.definition}" for index in indexes),
        *(alter(table, f"ADD CONSTRAINT {quote(name)} {definition}") for name, definition in checks),
        alter(table, f"DROP COLUMN {quote(shadow)}"),
        alter(table, f"RENAME COLUMN {quote(column)} TO {quote(shadow)}"),
    ]
    with empty_copies(connection, table):
        execute_verbatim(connection, "; ".join(script))
        found = {name: definition.text for name, definition in all_there(connection, table).items()}
    keys, references = (
        [
            Constraint(name, tuple(dict.fromkeys((own, other))), definition)
            for name, own, other, definition in ask(which, table, column=column, shadow=shadow).rows(connection)
        ]
        for which in ("foreign_keys", "references")
    )
    on_shadow = [index._replace(definition=found[index.name].removeprefix("UNIQUE ")) for index in indexes]
    return Uses(on_shadow, [*(Constraint(name, (table,), found[name]) for name, _ in checks), *keys], references)


def _fill(change: TypeChange) -> None:
    """Add the shadow, with the trigger that writes it from now on, and fill it."""
    unfilled = differs(quote(change.shadow), change.forth, change.name)
    dual_writes.start(change.dual_write(change.forth), change.type, SHADOW_TO_BE)
    backfill(change.table, f"{quote(change.shadow)} = {change.forth}", unfilled, pk=change.pk)


def _build_twins(change: TypeChange, state: ColumnState, uses: Uses) -> None:
    """Give the shadow what stands on the column. It is not judged: the trigger writes the shadow, not live code."""
    table, shadow = change.table, quote(change.shadow)
    if state.not_null:
        run_steps(*add_validated((table,), not_null_check(table, change.shadow), f"CHECK ({shadow} IS NOT NULL)"))
    for one in uses.constraints:
        run_steps(*add_validated(one.tables, shadow_of(one.name), one.definition))
    for index in uses.indexes:
        twin = shadow_of(index.name)
        create = f"{index.create} CONCURRENTLY {quote(twin)} ON {quote(table)} {index.definition}"
        run_steps(
            online(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(twin)}", when=ask("has_invalid_index", twin)),
            online(create, when=~ask("has_index", twin)),
        )


def _swap(change: TypeChange, state: ColumnState, uses: Uses, recompile: list[str]) -> Step:
    """Let the column and its shadow swap names. Each statement changes the catalog only."""
    table, column, shadow = change.table, change.column, change.shadow
    between = shorten_identifier(f"{column}_swapped")
    names = ((column, between), (shadow, column), (between, shadow))
    keys = [index.name for index in uses.indexes if index.constraint]
    former = [*(one.name for one in uses.constraints), *keys]
    statements = [
        *(alter(table, f"DROP CONSTRAINT {quote(name)}") for name in former),
        *(f"DROP INDEX {quote(index.name)}" for index in uses.indexes if not index.constraint),
        *(alter(table, f"RENAME COLUMN {quote(old)} TO {quote(new)}") for old, new in names),
        *_move_defaults(change, state),
        comment_on(table, column, state.comment),
        comment_on(table, shadow, SHADOW_OF_FORMER),
        *_rename_twins(table, uses),
        change.dual_write(change.back).create_function(),
        *recompile,
    ]
    tables = tuple(dict.fromkeys([table, *(locked for one in uses.constraints for locked in one.tables)]))
    return strong(tables, "; ".join(statements), when=~ask("has_type", table, column=column, type=change.name))


def _rename_twins(table: str, uses: Uses) -> list[str]:
    renamed = []
    for index in uses.indexes:
        name, twin = quote(index.name), quote(shadow_of(index.name))
        using = f"ADD CONSTRAINT {name} {index.constraint} USING INDEX {twin}{index.deferral}"
        renamed.append(alter(table, using) if index.constraint else f"ALTER INDEX {twin} RENAME TO {name}")
    for one in uses.constraints:
        renamed.append(alter(table, f"RENAME CONSTRAINT {quote(shadow_of(one.name))} TO {quote(one.name)}"))
    return renamed


def _move_defaults(change: TypeChange, state: ColumnState) -> list[str]:
    """Let default, identity and NOT NULL go with the name, after the swap.

    The shadow may not hold what the new type holds, so it may be NULL. The validated CHECK proves SET NOT NULL.
    """
    table, column, shadow = change.table, quote(change.column), quote(change.shadow)
    actions = []
    if state.not_null:
        check = quote(not_null_check(table, change.shadow))
        actions += [f"ALTER COLUMN {shadow} DROP NOT NULL", f"ALTER COLUMN {column} SET NOT NULL"]
        actions += [f"DROP CONSTRAINT {check}"]
    if state.default is not None:
        # A bare literal goes without the old type's cast.
        bare = state.default.removesuffix(f"::{state.type}")
        default = bare if re.fullmatch(r"'(?:[^']|'')*'", bare) else state.default
        actions += [f"ALTER COLUMN {column} SET DEFAULT {default}", f"ALTER COLUMN {shadow} DROP DEFAULT"]
    moved = [alter(table, action) for action in actions]
    if state.sequence and state.identity:
        names = {"table": quote(table), "new": column, "old": shadow, "between": "; ".join(moved)}
        sequence = {"sequence": state.sequence, "literal": literal(state.sequence), "options": state.sequence_options}
        return [TEXTS["move_identity"].format(identity=state.identity, **names, **sequence)]
    if state.sequence:
        moved += [f"ALTER SEQUENCE {state.sequence} OWNED BY {quote(table)}.{column}"]
        moved += [f"ALTER SEQUENCE {state.sequence} AS {change.name}"] if change.name in INTEGERS else []
    return moved


def _print(change: TypeChange) -> None:
    """Print it for --sql: nobody can look what stands on the column, so the script goes on only when it is nothing."""
    names = {"table": literal(quote(change.table)), "name": literal(change.column)}
    run_steps(online(TEXTS["require_values_only"].format(**names)))
    _fill(change)
    nothing = ColumnState(change.name, False, None, None, None, None, "")
    run_steps(online(f"ANALYZE {quote(change.table)}"), _swap(change, nothing, Uses([], [], []), []))


def _refuse_obstacles(change: TypeChange) -> None:
    """Refuse what cannot be carried over, and a shadow of another type, of an earlier change."""
    own_trigger = dual_writes.trigger_name(change.table, change.shadow)
    found = ask("obstacles", change.table, column=change.column, own_trigger=own_trigger)
    if obstacles := found.listed():
        raise UnsafeOperation(
            f"{', '.join(obstacles)} cannot be carried over to another column, so {change.table}.{change.column} stays"
            " as it is. Drop that before and make it again after it, in revisions of their own."
        )
    type_ = ask("type_name", change.table, column=change.shadow).answer()
    if type_ not in (None, change.name):
        raise ReleaseError(
            f"{change.table}.{change.column} still has the shadow of another change, {change.shadow} {type_}. End"
            f" that one first, in a revision of its own: drop_shadow_contract({change.table!r}, {change.column!r})"
        )


def _require_lossless(connection: Connection, change: TypeChange, old_type: str) -> None:
    """Refuse when a value would not come back from the new type as it was."""
    column = quote(change.column)
    both = f"SELECT {column} AS former, {quote(change.shadow)} AS {column} FROM {quote(change.table)}"
    returned = f"CAST({change.back} AS {old_type})"
    is_lost = differs("former", returned, old_type)
    if old_type == "json":  # which may be spelled in many ways; jsonb keeps what it means
        is_lost = f"{returned} IS NULL AND former IS NOT NULL"
    query = f"SELECT count(*) FROM ({both}) AS {quote(change.table)} WHERE {is_lost}"
    try:
        lost = execute_verbatim(connection, query).scalar_one()
    except ProgrammingError as error:
        raise UnsafeOperation(f"{change.back!r} is not a value for {change.table}: {server_message(error)}") from error
    if lost:
        raise UnsafeOperation(
            f"{lost} values of {change.table}.{change.column} would be lost as {change.type}, so the column stays as it"
            " is. Fix the rows, then run the command again."
        )


def _wait_for_older_snapshots(connection: Connection, deadline: Deadline) -> None:
    """Wait for transactions that read rows as they were before the backfill: they would find NULL after the swap."""
    now = connection.scalar(text("SELECT pg_current_xact_id()::xid::text"))
    while older := ask("older_snapshot", now=now).rows(connection).one_or_none():
        if not deadline.left():
            raise DeadlineExceeded(
                f"The deadline of {deadline.seconds:.0f} s passed, waiting for a transaction that reads what was there"
                f" before: pid={older.pid} application={older.application_name}. When it is over, run: flask db upgrade"
            )
        deadline.sleep(SNAPSHOT_POLL)
