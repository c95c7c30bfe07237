"""Carry what stands on a column over to its shadow, beside the traffic; then let the two swap names in a short lock.

What stands on it: its default, NOT NULL, identity, indexes and constraints, in the server's own words.
"""

import re
from importlib.resources import files
from typing import NamedTuple

from sqlalchemy import Connection, text

from online_migrations.connection import execute_verbatim
from online_migrations.errors import ReleaseError
from online_migrations.operations import catalog
from online_migrations.operations.columns import not_null_check
from online_migrations.operations.constraints import add_not_valid_then_validate, prove_not_null, take_name
from online_migrations.operations.names import shadow_of, shorten_identifier
from online_migrations.operations.steps import alter, online, run_steps
from online_migrations.sql import literal, quote

# Queries by their names, each after a line of the file that begins with it.
_SQL = (files(__package__) / "column_swap.sql").read_text(encoding="utf-8")
_FILLED = _SQL.replace("{is_column}", catalog.COLUMN).replace("{nullable}", catalog.NULLABLE)
_QUERIES = {name: text(sql) for name, sql in re.findall(r"^-- (\w+)\b.*\n((?:[^-\n].*\n)+)", _FILLED, re.MULTILINE)}

INTEGERS = ("smallint", "integer", "bigint")

# What a shadow is, in the database, as its column's comment.
SHADOW_PREFIX = "shadow: "
SHADOW_TO_BE = f"{SHADOW_PREFIX}a trigger copies the column into it, whose place it takes when it is complete"
SHADOW_OF_FORMER = (
    f"{SHADOW_PREFIX}what the column was before its type changed, kept by a trigger; a later release drops it"
)


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


class ForeignKey(NamedTuple):
    name: str
    table: str  # that has the constraint
    other: str  # at its other end, which a change of the constraint locks too
    definition: str


class Uses(NamedTuple):
    """Hold indexes and constraints of a column, each with the shadow's name in place of the column's."""

    indexes: list[Index]
    checks: dict[str, str]  # name: definition
    foreign_keys: list[ForeignKey]  # of the column
    references: list[ForeignKey]  # to the column


def read_state(connection: Connection, table: str, column: str) -> ColumnState:
    row = connection.execute(_QUERIES["state"], catalog.of_column(table, column)).one_or_none()
    if row is None:
        raise ReleaseError(f"There is no column {table}.{column}.")
    return ColumnState(*row)


def read_uses(connection: Connection, table: str, column: str, shadow: str) -> Uses:
    """Return what stands on the column. In autocommit mode, and while the table has both columns."""
    of_column = catalog.of_column(table, column)
    with_shadow = {**of_column, "shadow": shadow}
    indexes = [Index(*row) for row in connection.execute(_QUERIES["indexes"], of_column)]
    definitions, all_checks = _definitions_on_shadow(connection, table, column, shadow, indexes)
    return Uses(
        [index._replace(definition=definitions[index.name]) for index in indexes],
        {name: all_checks[name] for name in connection.scalars(_QUERIES["checks"], of_column)},
        [ForeignKey(*row) for row in connection.execute(_QUERIES["foreign_keys"], with_shadow)],
        [ForeignKey(*row) for row in connection.execute(_QUERIES["references"], with_shadow)],
    )


def read_obstacles(connection: Connection, table: str, column: str, own_trigger: str) -> list[str]:
    """Return what stands on the column and cannot be carried over: a view, a generated column, a policy, …."""
    parameters = {**catalog.of_column(table, column), "own_trigger": own_trigger}
    return list(connection.scalars(_QUERIES["obstacles"], parameters))


def recompile_triggers(connection: Connection, table: str) -> list[str]:
    """Return statements that change nothing but let every session compile the table's trigger functions again.

    A session keeps a PL/pgSQL function as it compiled it, with the types that the columns had. ALTER FUNCTION to what
    it is makes it look again.
    """
    return list(connection.scalars(_QUERIES["trigger_functions"], {"table": quote(table)}))


def canonical_type(connection: Connection, type_: str) -> str:
    """Return a type as the server calls it, in autocommit mode: format_type() of a column that has it."""
    try:
        execute_verbatim(connection, f"BEGIN; CREATE TEMP TABLE dual_write_type (value {type_})")
        return read_state(connection, "dual_write_type", "value").type
    finally:
        execute_verbatim(connection, "ROLLBACK")


_COPIED_INDEXES = text(
    "SELECT c.relname::text, regexp_replace(pg_get_indexdef(c.oid), '^CREATE (UNIQUE )?INDEX [^ ]+ ON [^ ]+ ', '')"
    " FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'pg_temp.dual_write_copy'::regclass"
)
_COPIED_CHECKS = text(
    "SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = 'pg_temp.dual_write_copy'::regclass AND contype = 'c'"
)


def _definitions_on_shadow(
    connection: Connection, table: str, column: str, shadow: str, indexes: list[Index]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the definitions, by name, of the indexes and of all CHECKs of the table, with the shadow in the column's
    place. The server itself puts its name in: it describes an empty copy of the table with the column renamed. So no
    expression is searched for a word that may stand in a text, or be another name.
    """
    script = [
        "BEGIN",
        f"CREATE TEMP TABLE dual_write_copy (LIKE {quote(table)} INCLUDING CONSTRAINTS)",
        f"ALTER TABLE dual_write_copy DROP COLUMN {quote(shadow)}",
        *(
            f"{index.create} copy_{number} ON dual_write_copy {index.definition}"
            for number, index in enumerate(indexes)
        ),
        f"ALTER TABLE dual_write_copy RENAME COLUMN {quote(column)} TO {quote(shadow)}",
    ]
    try:
        execute_verbatim(connection, "; ".join(script))
        found: dict[str, str] = dict(connection.execute(_COPIED_INDEXES).all())
        checks: dict[str, str] = dict(connection.execute(_COPIED_CHECKS).all())
    finally:
        execute_verbatim(connection, "ROLLBACK")
    return {index.name: found[f"copy_{number}"] for number, index in enumerate(indexes)}, checks


def build_twins(table: str, column: str, state: ColumnState, uses: Uses) -> None:
    """Give the shadow what stands on the column. Nothing of it blocks reads or writes for more than milliseconds.

    Its constraints are not judged: the trigger writes the shadow, not the previous release.
    """
    shadow = shadow_of(column)
    if state.not_null:
        prove_not_null(table, not_null_check(table, shadow), shadow)
    for name, definition in uses.checks.items():
        run_steps(*add_not_valid_then_validate((table,), shadow_of(name), definition))
    for index in uses.indexes:
        twin = shadow_of(index.name)
        create = f"{index.create} CONCURRENTLY {quote(twin)} ON {quote(table)} {index.definition}"
        run_steps(
            online(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(twin)}", when=catalog.has_invalid_index(twin)),
            online(create, unless=catalog.has_index(twin)),
        )
    for key in uses.foreign_keys:
        run_steps(*add_not_valid_then_validate((key.table, key.other), shadow_of(key.name), key.definition))


def move_references(references: list[ForeignKey]) -> None:
    """Let the foreign keys of other tables refer to the shadow. It holds the same, so none of them is ever without.

    One table at a time: the swap then needs no lock on them.
    """
    for key in references:
        tables, twin = tuple(dict.fromkeys((key.table, key.other))), shadow_of(key.name)
        run_steps(
            *add_not_valid_then_validate(tables, twin, key.definition),
            take_name(tables, key.name, twin, drop="DROP CONSTRAINT"),
        )


class Swap(NamedTuple):
    """Let a column and its shadow swap names. Each statement changes the catalog only."""

    table: str
    column: str
    type: str  # that the shadow has
    state: ColumnState  # of the column, before, as are its uses
    uses: Uses

    @property
    def tables(self) -> tuple[str, ...]:
        """Return those on which it needs a strong lock: dropping a foreign key locks the other table too."""
        return tuple(dict.fromkeys([self.table, *(key.other for key in self.uses.foreign_keys)]))

    def statements(self) -> list[str]:
        return [*self._drop_former(), *self._swap_names(), *self._move_defaults(), *self._rename_twins()]

    def _alter(self, action: str) -> str:
        return alter(self.table, action)

    def _drop_former(self) -> list[str]:
        keys = [index.name for index in self.uses.indexes if index.constraint]
        constraints = [*(key.name for key in self.uses.foreign_keys), *self.uses.checks, *keys]
        drops = [self._alter(f"DROP CONSTRAINT {quote(name)}") for name in constraints]
        return [*drops, *(f"DROP INDEX {quote(index.name)}" for index in self.uses.indexes if not index.constraint)]

    def _swap_names(self) -> list[str]:
        shadow, between = shadow_of(self.column), shorten_identifier(f"{self.column}_swapped")
        pairs = ((self.column, between), (shadow, self.column), (between, shadow))
        return [self._alter(f"RENAME COLUMN {quote(old)} TO {quote(new)}") for old, new in pairs]

    def _move_defaults(self) -> list[str]:
        """Let default, identity, NOT NULL and comment go with the name."""
        column, shadow = quote(self.column), quote(shadow_of(self.column))
        moved = self._move_not_null(column, shadow)
        if self.state.default is not None:
            moved += [self._alter(f"ALTER COLUMN {column} SET DEFAULT {self._default(self.state.default)}")]
            moved += [self._alter(f"ALTER COLUMN {shadow} DROP DEFAULT")]
        if self.state.sequence and self.state.identity:
            moved = [self._move_identity(self.state.sequence, moved)]
        elif self.state.sequence:
            moved += [f"ALTER SEQUENCE {self.state.sequence} OWNED BY {quote(self.table)}.{column}"]
            moved += [f"ALTER SEQUENCE {self.state.sequence} AS {self.type}"] if self.type in INTEGERS else []
        names = f"COMMENT ON COLUMN {quote(self.table)}"
        comments = ((column, self.state.comment), (shadow, SHADOW_OF_FORMER))
        return [*moved, *(f"{names}.{name} IS {literal(comment)}" for name, comment in comments)]

    def _move_not_null(self, column: str, shadow: str) -> list[str]:
        """Free the shadow, which may not hold what the new type holds. The validated CHECK proves SET NOT NULL."""
        if not self.state.not_null:
            return []
        check = quote(not_null_check(self.table, shadow_of(self.column)))
        actions = (f"ALTER COLUMN {shadow} DROP NOT NULL", f"ALTER COLUMN {column} SET NOT NULL")
        return [self._alter(action) for action in (*actions, f"DROP CONSTRAINT {check}")]

    def _default(self, default: str) -> str:
        """Return a bare literal without the old type's cast; any other expression as it is."""
        bare = default.removesuffix(f"::{self.state.type}")
        return bare if re.fullmatch(r"'(?:[^']|'')*'", bare) else default

    def _move_identity(self, sequence: str, between: list[str]) -> str:
        """Recreate an identity, which belongs to its column, to go on where the old one is.

        What is `between` needs the column without the one, and with the other.
        """
        column, shadow = quote(self.column), quote(shadow_of(self.column))
        identity = f"{self.state.identity} AS IDENTITY (SEQUENCE NAME {sequence} {self.state.sequence_options})"
        statements = [
            f"SELECT last_value, is_called INTO reached FROM {sequence}",
            self._alter(f"ALTER COLUMN {shadow} DROP IDENTITY"),
            *between,
            self._alter(f"ALTER COLUMN {column} ADD GENERATED {identity}"),
            f"PERFORM setval({literal(sequence)}, reached.last_value, reached.is_called)",
        ]
        return f"DO $identity$ DECLARE reached record; BEGIN {'; '.join(statements)}; END $identity$"

    def _rename_twins(self) -> list[str]:
        renamed = []
        for index in self.uses.indexes:
            name, twin = quote(index.name), quote(shadow_of(index.name))
            using = f"ADD CONSTRAINT {name} {index.constraint} USING INDEX {twin}{index.deferral}"
            renamed.append(self._alter(using) if index.constraint else f"ALTER INDEX {twin} RENAME TO {name}")
        for name in [*self.uses.checks, *(key.name for key in self.uses.foreign_keys)]:
            renamed.append(self._alter(f"RENAME CONSTRAINT {quote(shadow_of(name))} TO {quote(name)}"))
        return renamed
