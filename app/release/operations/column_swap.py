"""Carry what stands on a column over to its shadow, beside the traffic; then let the two swap names in a short lock."""

import re
from typing import NamedTuple

from app.release.operations import catalog
from app.release.operations.column_uses import ColumnState, ForeignKey, Uses
from app.release.operations.constraint_steps import add_not_valid_then_validate
from app.release.operations.constraints import prove_not_null
from app.release.operations.identifiers import shadow_of, shorten_identifier
from app.release.operations.steps import Step, run_steps
from app.release.sql.dialect import literal, quote

INTEGERS = ("smallint", "integer", "bigint")

# What a shadow is, in the database, as its column's comment.
SHADOW_PREFIX = "shadow: "
SHADOW_TO_BE = f"{SHADOW_PREFIX}a trigger copies the column into it, whose place it takes when it is complete"
SHADOW_OF_FORMER = (
    f"{SHADOW_PREFIX}what the column was before its type changed, kept by a trigger; a later release drops it"
)


def not_null_check(table: str, column: str) -> str:
    return shorten_identifier(f"ck_{table}_{column}_not_null")


def build_twins(table: str, column: str, state: ColumnState, uses: Uses) -> None:
    """Give the shadow what stands on the column. Nothing of it blocks reads or writes for more than milliseconds.

    Its constraints are not judged: the trigger writes the shadow, not the release before.
    """
    shadow = shadow_of(column)
    if state.not_null:
        prove_not_null(table, not_null_check(table, shadow), shadow)
    for name, definition in uses.checks.items():
        run_steps(*add_not_valid_then_validate((table,), shadow_of(name), definition))
    for index in uses.indexes:
        twin = quote(shadow_of(index.name))
        create = f"CREATE {'UNIQUE ' if index.is_unique else ''}INDEX CONCURRENTLY {twin} ON {quote(table)}"
        run_steps(
            Step(f"DROP INDEX CONCURRENTLY IF EXISTS {twin}", f"SELECT {catalog.HAS_INVALID_INDEX}", {"index": twin}),
            Step(f"{create} {index.definition}", f"SELECT NOT {catalog.HAS_INDEX}", {"index": twin}),
        )
    for key in uses.foreign_keys:
        run_steps(*add_not_valid_then_validate((key.table, key.other), shadow_of(key.name), key.definition))


def move_references(references: list[ForeignKey]) -> None:
    """Let the foreign keys of other tables refer to the shadow. It holds the same, so none of them is ever without.

    One table at a time: the swap then needs no lock on them.
    """
    for key in references:
        alter, twin = f"ALTER TABLE {quote(key.table)}", shadow_of(key.name)
        move = (
            f"{alter} DROP CONSTRAINT {quote(key.name)}; {alter} RENAME CONSTRAINT {quote(twin)} TO {quote(key.name)}"
        )
        tables = tuple(dict.fromkeys((key.table, key.other)))
        has_twin = catalog.constraint_parameters(key.table, twin)
        run_steps(
            *add_not_valid_then_validate(tables, twin, key.definition),
            Step(move, f"SELECT {catalog.HAS_CONSTRAINT}", has_twin, alters=tables),
        )


class Swap(NamedTuple):
    """The statements that let a column and its shadow swap names. Each changes the catalog only.

    Args:
        state, uses: of the column, before.
        type: that the shadow has.
    """

    table: str
    column: str
    type: str
    state: ColumnState
    uses: Uses

    @property
    def tables(self) -> tuple[str, ...]:
        """On which it needs a strong lock: dropping a foreign key locks the other table too."""
        return tuple(dict.fromkeys([self.table, *(key.other for key in self.uses.foreign_keys)]))

    def statements(self) -> list[str]:
        return [*self._drop_former(), *self._swap_names(), *self._move_defaults(), *self._rename_twins()]

    def _alter(self, action: str) -> str:
        return f"ALTER TABLE {quote(self.table)} {action}"

    def _drop_former(self) -> list[str]:
        constraints = [
            *(key.name for key in self.uses.foreign_keys),
            *self.uses.checks,
            *(index.name for index in self.uses.indexes if index.constraint),
        ]
        indexes = [index.name for index in self.uses.indexes if not index.constraint]
        drops = [self._alter(f"DROP CONSTRAINT {quote(name)}") for name in constraints]
        return [*drops, *(f"DROP INDEX {quote(name)}" for name in indexes)]

    def _swap_names(self) -> list[str]:
        shadow, between = shadow_of(self.column), shorten_identifier(f"{self.column}_swapped")
        pairs = ((self.column, between), (shadow, self.column), (between, shadow))
        return [self._alter(f"RENAME COLUMN {quote(old)} TO {quote(new)}") for old, new in pairs]

    def _move_defaults(self) -> list[str]:
        """Default, identity, NOT NULL and comment go with the name."""
        column, shadow = quote(self.column), quote(shadow_of(self.column))
        moved = self._move_not_null()
        if self.state.default is not None:
            moved += [self._alter(f"ALTER COLUMN {column} SET DEFAULT {self._default(self.state.default)}")]
            moved += [self._alter(f"ALTER COLUMN {shadow} DROP DEFAULT")]
        if self.state.sequence and self.state.identity:
            moved = [self._move_identity(self.state.sequence, self.state.identity, moved)]
        elif self.state.sequence:
            moved += [f"ALTER SEQUENCE {self.state.sequence} OWNED BY {quote(self.table)}.{column}"]
            moved += [f"ALTER SEQUENCE {self.state.sequence} AS {self.type}"] if self.type in INTEGERS else []
        comment = "NULL" if self.state.comment is None else literal(self.state.comment)
        names = f"COMMENT ON COLUMN {quote(self.table)}"
        return [*moved, f"{names}.{column} IS {comment}", f"{names}.{shadow} IS {literal(SHADOW_OF_FORMER)}"]

    def _move_not_null(self) -> list[str]:
        """The shadow may not hold what the new type holds. SET NOT NULL is proved by the validated CHECK."""
        if not self.state.not_null:
            return []
        check = quote(not_null_check(self.table, shadow_of(self.column)))
        return [
            self._alter(f"ALTER COLUMN {quote(shadow_of(self.column))} DROP NOT NULL"),
            self._alter(f"ALTER COLUMN {quote(self.column)} SET NOT NULL"),
            self._alter(f"DROP CONSTRAINT {check}"),
        ]

    def _default(self, default: str) -> str:
        """A bare literal without the old type's cast; any other expression as it is."""
        bare = default.removesuffix(f"::{self.state.type}")
        return bare if re.fullmatch(r"'(?:[^']|'')*'", bare) else default

    def _move_identity(self, sequence: str, identity: str, between: list[str]) -> str:
        """An identity belongs to its column, so it is recreated, to go on where the old one is.

        Args:
            between: what needs the column without the one, and with the other.
        """
        column, shadow = quote(self.column), quote(shadow_of(self.column))
        options = f"SEQUENCE NAME {sequence} {self.state.sequence_options}"
        statements = [
            f"SELECT last_value, is_called INTO reached FROM {sequence}",
            self._alter(f"ALTER COLUMN {shadow} DROP IDENTITY"),
            *between,
            self._alter(f"ALTER COLUMN {column} ADD GENERATED {identity} AS IDENTITY ({options})"),
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
