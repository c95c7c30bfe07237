"""Change the type of a column beside the traffic: a shadow column, a dual write, a backfill, a swap of the names.

The shadow is given NOT NULL, indexes and constraints, in the server's own words; default, identity and comment swap.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Connection, Row, text

from online_migrations.connection import connection_of
from online_migrations.definitions import SHADOW_OF_FORMER, SHADOW_TO_BE, all_there, empty_copies
from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation
from online_migrations.locks import Deadline
from online_migrations.operations import dual_writes
from online_migrations.operations.backfill import backfill, refuse_while_filling
from online_migrations.operations.catalog import TEXTS, Question, ask, bind
from online_migrations.operations.constraints import take_name
from online_migrations.operations.dual_writes import DualWrite, differs
from online_migrations.operations.steps import Step, add_validated, build_index, deadline_of, online, run_steps, strong
from online_migrations.operations.tables import not_null_check
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import alter, comment_on, literal, quote, shadow_of, shorten_identifier

INTEGERS = ("smallint", "integer", "bigint")
SNAPSHOT_POLL = 0.2  # seconds


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
        rows as they were before the backfill. A script (--sql) cannot do it.
    Downgrade: change_type_online with the old type, then drop_shadow_contract.
    Raises:
        UnsafeOperation: a value does not fit the new type or does not come back from it; or something stands on the
            column that cannot be carried over: a view, a generated column, an EXCLUDE, a policy, statistics,
            privileges, another trigger's condition, partitions. What was added is dropped again.
        ReleaseError: the column still has the shadow of another change.
    """
    migration, connection = op.get_context(), bind()
    if connection is None:
        run_steps(online(TEXTS["not_in_a_script"]))
        return
    with migration.autocommit_block():
        state = read_state(table, column)
        with empty_copies(connection):  # of which a column tells how the server calls the type
            execute_verbatim(connection, f"CREATE TEMP TABLE dual_write_type (value {type_})")
            name = ask("type_name", "dual_write_type", column="value").answer()
        if state.type == name:
            return
        forth, back = using or f"CAST({quote(column)} AS {type_})", back or f"CAST({quote(column)} AS {state.type})"
        change = TypeChange(table, column, type_, name, forth, back)
        _refuse_obstacles(change)
        dual_writes.tried(connection, table, change.back, state.type, f"CAST(NULL AS {type_}) AS {quote(column)}")
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
        dual_writes.start(change.dual_write(forth), type_, SHADOW_TO_BE)
        backfill(table, f"{quote(change.shadow)} = {forth}", differs(quote(change.shadow), forth, name), pk=pk)
        with migration.autocommit_block():
            _require_lossless(connection, change, state.type)
            twins = read_twins(connection, change, state)
            references = ask("references", table, column=column, shadow=change.shadow).rows(connection).all()
        for twin in twins:  # what is built is not judged: the trigger writes the shadow, not live code
            run_steps(*twin.build)
    for key, *tables, definition in references:  # one table at a time, so that the swap needs no lock on them
        both, twin_key = tuple(dict.fromkeys(tables)), shadow_of(key)
        run_steps(*add_validated(both, twin_key, definition), take_name(both, key, twin_key))
    run_steps(online(f"ANALYZE {quote(table)}"))  # queries need statistics of the new column at once
    with migration.autocommit_block():
        _wait_for_older_snapshots(connection, deadline_of(migration))
    # Each session keeps a PL/pgSQL function as it compiled it, with the types that the columns had. ALTER FUNCTION to
    # what it is makes it look again.
    again = ask("trigger_functions", table).listed() + ask("statistics", table, column=column).listed()
    run_steps(_swap(change, state, twins, again))


def drop_shadow_contract(table: str, column: str) -> None:
    """Drop the shadow of change_type_online, which holds the old type. There is no way back then. Contract.

    Downgrade: none; change_type_online with the old type creates the shadow again.
    """
    refuse_while_filling("drop_shadow_contract", lambda one: one.uses(table, shadow_of(column)), table, column)
    dual_writes.drop_dual_write_contract(table, shadow_of(column))


class TypeChange(NamedTuple):
    table: str
    column: str
    type: str  # as the revision writes it
    name: str  # of the type, as the server calls it
    forth: str  # SQL over the column, as is `back`
    back: str

    @property
    def shadow(self) -> str:
        return shadow_of(self.column)

    def dual_write(self, expression: str) -> DualWrite:
        """Return the trigger that writes the shadow. It names the columns, so it goes on when they swap names."""
        assignment = dual_writes.assign(self.table, self.shadow, expression, (self.column,))
        return DualWrite(self.table, self.shadow, assignment, (self.column,))


class Twin(NamedTuple):
    """Hold how what stands on the column comes to stand on the shadow, which then takes the column's name."""

    build: list[Step]  # on the shadow, beside the requests
    drop: str  # in the swap, before the names change
    take: str  # in the swap, after that: the twin has the shadow's new name, and gets that of what was dropped
    tables: tuple[str, ...] = ()  # that drop and take lock: of a foreign key also the one at its other end


def read_state(table: str, column: str) -> Row[Any]:
    row = ask("state", table, column=column).rows(connection_of(op.get_context())).one_or_none()
    if row is None:
        raise ReleaseError(f"There is no column {table}.{column}.")
    return row


def read_twins(connection: Connection, change: TypeChange, state: Row[Any]) -> list[Twin]:
    """Return a twin of all that stands on the column, while the table has its shadow too."""
    table, column, shadow = change.table, change.column, change.shadow
    indexes = ask("indexes", table, column=column).rows(connection).all()
    checks = ask("checks", table, column=column).rows(connection).all()
    script = [
        *(f"{index.create} {quote(index.name)} ON {quote(table)} {index.definition}" for index in indexes),
        *(alter(table, f"ADD CONSTRAINT {quote(name)} {definition}") for name, definition in checks),
        alter(table, f"DROP COLUMN {quote(shadow)}"),
        alter(table, f"RENAME COLUMN {quote(column)} TO {quote(shadow)}"),
    ]
    with empty_copies(connection, table):  # so that the server itself puts the shadow's name in
        execute_verbatim(connection, "; ".join(script))
        on_shadow = {name: definition.text for name, definition in all_there(connection, table).items()}
    keys = ask("foreign_keys", table, column=column, shadow=shadow).rows(connection)
    return [
        *_twins_of_values(change, state),
        *(_twin_of_index(table, index, on_shadow[index.name].removeprefix("UNIQUE ")) for index in indexes),
        *(_twin_of_constraint((table,), name, on_shadow[name]) for name, _ in checks),
        *(_twin_of_constraint((own, other), name, definition) for name, own, other, definition in keys),
    ]


def _twins_of_values(change: TypeChange, state: Row[Any]) -> Iterator[Twin]:
    """Yield those of NOT NULL and the default. The former column may be NULL: it may not hold what the new one does."""
    table, column, shadow = change.table, quote(change.column), quote(change.shadow)
    if state.not_null:  # first: the validated CHECK proves SET NOT NULL, which an identity and a primary key need
        check = not_null_check(table, change.shadow)
        build = add_validated((table,), check, f"CHECK ({shadow} IS NOT NULL)")
        drop, take = (alter(table, f"ALTER COLUMN {column} {action} NOT NULL") for action in ("DROP", "SET"))
        yield Twin(build, drop, f"{take}; {alter(table, f'DROP CONSTRAINT {quote(check)}')}")
    if state.default is not None:
        # A bare literal goes without the old type's cast.
        bare = state.default.removesuffix(f"::{state.type}")
        default = bare if re.fullmatch(r"'(?:[^']|'')*'", bare) else state.default
        drop = alter(table, f"ALTER COLUMN {column} DROP DEFAULT")
        yield Twin([], drop, alter(table, f"ALTER COLUMN {column} SET DEFAULT {default}"))


def _twin_of_index(table: str, index: Row[Any], definition: str) -> Twin:
    name, twin = quote(index.name), shadow_of(index.name)
    build = [*build_index(twin, f"{index.create} CONCURRENTLY {quote(twin)} ON {quote(table)} {definition}")]
    if index.constraint is None:
        return Twin(build, f"DROP INDEX {name}", f"ALTER INDEX {quote(twin)} RENAME TO {name}")
    attach = f"ADD CONSTRAINT {name} {index.constraint} USING INDEX {quote(twin)}{index.deferral}"
    return Twin(build, alter(table, f"DROP CONSTRAINT {name}"), alter(table, attach))


def _twin_of_constraint(tables: tuple[str, ...], name: str, definition: str) -> Twin:
    twin, tables = shadow_of(name), tuple(dict.fromkeys(tables))
    drop, rename = f"DROP CONSTRAINT {quote(name)}", f"RENAME CONSTRAINT {quote(twin)} TO {quote(name)}"
    build = add_validated(tables, twin, definition)
    return Twin(build, alter(tables[0], drop), alter(tables[0], rename), tables)


def _swap(change: TypeChange, state: Row[Any], twins: list[Twin], again: list[str]) -> Step:
    """Let the column and its shadow swap names. Each statement changes the catalog only."""
    table, column, shadow = change.table, change.column, change.shadow
    between = shorten_identifier(f"{column}_swapped")
    names = ((column, between), (shadow, column), (between, shadow))
    drops = [twin.drop for twin in reversed(twins)]  # a foreign key before the index that it may need
    renames = [alter(table, f"RENAME COLUMN {quote(old)} TO {quote(new)}") for old, new in names]
    takes = [twin.take for twin in twins]
    comments = [comment_on(table, column, state.comment), comment_on(table, shadow, SHADOW_OF_FORMER)]
    back = change.dual_write(change.back).create_function()
    swap = "; ".join([*drops, *renames, *takes, *comments, back, *again])
    if state.sequence and state.identity:
        of = {"table": quote(table), "of": quote(column), "identity": state.identity, "swap": swap}
        sequence = {"sequence": state.sequence, "literal": literal(state.sequence), "options": state.sequence_options}
        swap = TEXTS["move_identity"].format(**of, **sequence)
    elif state.sequence:
        swap += f"; ALTER SEQUENCE {state.sequence} OWNED BY {quote(table)}.{quote(column)}"
        swap += f"; ALTER SEQUENCE {state.sequence} AS {change.name}" if change.name in INTEGERS else ""
    tables = tuple(dict.fromkeys([table, *(locked for twin in twins for locked in twin.tables)]))
    return strong(tables, swap, when=~ask("has_type", table, column=column, type=change.name))


def not_carried_over(table: str, column: str) -> Question:
    """Ask what stands on the column and would not stand on the one in its place."""
    own_trigger = dual_writes.trigger_name(table, shadow_of(column))
    return ask("obstacles", table, column=column, own_trigger=own_trigger)


def _refuse_obstacles(change: TypeChange) -> None:
    """Refuse what cannot be carried over, and a shadow of another type, of an earlier change."""
    if obstacles := not_carried_over(change.table, change.column).listed():
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
    if lost := execute_verbatim(connection, query).scalar_one():
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
