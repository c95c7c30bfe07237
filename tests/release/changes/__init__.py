"""Changes of the shop's models: what a developer may do, generated over columns, types, rules, indexes and tables."""

from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import MetaData, Table

from app.release.rewriter.calls import names_in

ModelChange = Callable[[MetaData], Any]


class ByHand(NamedTuple):
    """A revision that a sentence tells to write: its upgrade() and downgrade(), its phase, and the models after it."""

    up: str
    down: str
    phase: str
    models: ModelChange


class Case(NamedTuple):
    """
    Args:
        changes: of the models, each of the shop's as they are, each released before the next one.
        phases: of the revisions that are written for them.
        refused: what the sentence says, when the first change is refused; then the others are what it advises.
        moves: columns that were dropped come back at the end of their table.
        stays: there is no way down; the release before works on what is there.
    """

    name: str
    changes: tuple[ModelChange | ByHand, ...]
    phases: tuple[str, ...]
    refused: str = ""
    moves: bool = False
    stays: bool = False


def expand(name: str, *changes: ModelChange, moves: bool = False) -> Case:
    return Case(name, changes, ("expand",) * len(changes), moves=moves)


def contract(name: str, change: ModelChange) -> Case:
    return Case(name, (change,), ("contract",))


def refused(
    name: str, sentence: str, change: ModelChange, *advised: ModelChange | ByHand, phase: str = "expand"
) -> Case:
    phases = tuple(step.phase if isinstance(step, ByHand) else phase for step in advised)
    return Case(name, (change, *advised), phases, sentence)


def table(metadata: MetaData, name: str = "things") -> Table:
    return metadata.tables[name]


def add(column: Callable[[], sa.Column[Any]], to: str = "things") -> ModelChange:
    """A new column. It is recreated each time, because a column belongs to one table."""
    return lambda metadata: table(metadata, to).append_column(column())


def replace(column: Callable[[], sa.Column[Any]], of: str = "things") -> ModelChange:
    return lambda metadata: table(metadata, of).append_column(column(), replace_existing=True)


def constrain(constraint: Callable[[], sa.Constraint], to: str = "things") -> ModelChange:
    return lambda metadata: table(metadata, to).append_constraint(constraint())


def index(name: str | None, *columns: Any, on: str = "things", **options: Any) -> ModelChange:
    def change(metadata: MetaData) -> None:
        expressions = [table(metadata, on).columns[c] if isinstance(c, str) else c for c in columns]
        sa.Index(name, *expressions, _table=table(metadata, on), **options)

    return change


def without_index(name: str, of: str = "things") -> ModelChange:
    def change(metadata: MetaData) -> None:
        indexes = table(metadata, of).indexes
        indexes.remove(next(index for index in indexes if index.name == name))

    return change


def without_constraint(name: str, of: str = "things") -> ModelChange:
    def change(metadata: MetaData) -> None:
        constraints = table(metadata, of).constraints
        constraints.remove(next(constraint for constraint in constraints if constraint.name == name))

    return change


def without(column: str, of: str = "things") -> ModelChange:
    """As if the model had never had the column, nor what stands on it."""

    def change(metadata: MetaData) -> None:
        old = table(metadata, of)
        metadata.remove(old)
        kept = [one._copy() for one in old.columns if one.name != column]
        new = Table(of, metadata, *kept, comment=old.comment)
        for rule in old.constraints:
            if not mentions(rule, column) and not of_a_column(rule):
                new.append_constraint(rule._copy(target_table=new))
        for one in old.indexes:
            names = [getattr(expression, "name", "") for expression in one.expressions]
            if column not in names and not (len(names) == 1 and old.columns[names[0]].index):
                sa.Index(one.name, *(new.columns[name] for name in names), unique=one.unique, **one.dialect_kwargs)

    return change


def keyed_by(*columns: str, of: str = "parts") -> ModelChange:
    """The table with another primary key."""

    def change(metadata: MetaData) -> None:
        old = table(metadata, of)
        metadata.remove(old)
        copies = [column._copy() for column in old.columns]
        for column in copies:
            column.primary_key = column.name in columns
        Table(of, metadata, *copies)

    return change


def mentions(rule: sa.Constraint, column: str) -> bool:
    if isinstance(rule, sa.CheckConstraint):
        return bool(names_in(str(rule.sqltext), [column]))
    return column in [one.name for one in rule.columns]  # type: ignore[attr-defined]


def of_a_column(rule: sa.Constraint) -> bool:
    """What a column brings along itself: its key, that it is unique, and the values of an enum."""
    if isinstance(rule, sa.PrimaryKeyConstraint) or getattr(rule, "_type_bound", False):
        return True
    return isinstance(rule, sa.UniqueConstraint) and len(rule.columns) == 1


def both(*changes: ModelChange) -> ModelChange:
    def change(metadata: MetaData) -> None:
        for one in changes:
            one(metadata)

    return change


def nothing(metadata: MetaData) -> None:
    """The models as they were."""
