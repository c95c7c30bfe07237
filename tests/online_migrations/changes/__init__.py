"""Changes of the shop's models: what a developer may do, generated over columns, types, rules, indexes and tables."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import MetaData, Table

from online_migrations.sql import names_in

ModelChange = Callable[[MetaData], Any]


class ByHand(NamedTuple):
    """Write a revision by hand, as a sentence tells: its upgrade() and downgrade(), its phase, the models after it."""

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
        stays: there is no way down; the previous release works on what is there.
        up: the calls of upgrade() for the first change. Those of downgrade() are run.
        group: of changes that do not touch each other, and are released in one revision.
    """

    name: str
    changes: tuple[ModelChange | ByHand, ...]
    phases: tuple[str, ...]
    refused: str = ""
    moves: bool = False
    stays: bool = False
    up: tuple[str, ...] = ()
    group: str = ""

    def written(self, *up: str) -> "Case":
        """Return the case with the calls that are expected in the revision."""
        return self._replace(up=up)

    def of(self, group: str) -> "Case":
        return self._replace(group=group)


def expand(name: str, *changes: ModelChange) -> Case:
    return Case(name, changes, ("expand",) * len(changes))


def contract(name: str, change: ModelChange) -> Case:
    return Case(name, (change,), ("contract",))


def refused(name: str, says: str, change: ModelChange, *advised: ModelChange | ByHand, phase: str = "expand") -> Case:
    phases = tuple(step.phase if isinstance(step, ByHand) else phase for step in advised)
    return Case(name, (change, *advised), phases, says)


def released_together(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield each group as one case, and the others as they are."""
    for group, members in groupby(sorted(cases, key=lambda case: case.group), lambda case: case.group):
        if group:
            first, *others = members
            changes = [change for case in (first, *others) for change in case.changes]
            assert not any(isinstance(change, ByHand) for change in changes)
            moves = any(case.moves for case in (first, *others))
            yield first._replace(name=f"{group}: {first.name}, and others", changes=(both(*changes),), moves=moves)  # type: ignore[arg-type]
        else:
            yield from members


def table(metadata: MetaData, name: str = "things") -> Table:
    return metadata.tables[name]


def add(column: Callable[[], sa.Column[Any]], to: str = "things") -> ModelChange:
    """Add a column. It is recreated each time, because a column belongs to one table."""
    return lambda metadata: table(metadata, to).append_column(column())


def replace(column: Callable[[], sa.Column[Any]], of: str = "things") -> ModelChange:
    return lambda metadata: table(metadata, of).append_column(column(), replace_existing=True)


def plain(name: str, kind: Any, **options: Any) -> Callable[[], sa.Column[Any]]:
    return lambda: sa.Column(name, kind, **options)


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
    """Leave the model as if it had never had the column, nor what stands on it."""

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
    """Give the table another primary key."""

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
        return column in names_in(str(rule.sqltext))
    return column in [one.name for one in rule.columns]  # type: ignore[attr-defined]


def of_a_column(rule: sa.Constraint) -> bool:
    """Tell whether a column brings the rule along: its key, that it is unique, and the values of an enum."""
    if isinstance(rule, sa.PrimaryKeyConstraint) or getattr(rule, "_type_bound", False):
        return True
    return isinstance(rule, sa.UniqueConstraint) and len(rule.columns) == 1


def both(*changes: ModelChange) -> ModelChange:
    def change(metadata: MetaData) -> None:
        for one in changes:
            one(metadata)

    return change


def nothing(metadata: MetaData) -> None:
    """Leave the models as they were."""
