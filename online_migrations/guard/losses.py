"""Losses: what a downgrade throws away, which somebody has to name before it does.

An upgrade takes nothing that the live release maps. A downgrade takes what its upgrade gave, with all that was written
there since. So it stops, says what is there, and goes on when the command names it: -x lose=notes.colour.
"""

import shlex
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import Effect, shown
from online_migrations.guard.proofs import tried
from online_migrations.guard.snapshot import Snapshot
from online_migrations.locks import QUERY_CANCELED, sqlstate
from online_migrations.sql import quote

LOSES = ("drops-table", "drops-column")
MOST_COUNTED = 100_000  # rows
# A policy that hides rows from us is an error then.
SETTINGS = text("SET LOCAL statement_timeout = '5s'; SET LOCAL row_security = off")
NOT_ALLOWED = "42501"  # SQLSTATE insufficient_privilege


class Loss(NamedTuple):
    """
    Args:
        table: with its schema.
        column: None: the whole table.
        is_in_use: by the live release.
        is_copied: whether its values can be made again of other columns.
    """

    table: str
    column: str | None
    is_in_use: bool
    is_copied: bool

    @property
    def name(self) -> str:
        return ".".join([shown(self.table), *([self.column] if self.column else [])])

    def is_named_in(self, lose: Collection[str]) -> bool:
        return self.name in lose or f"public.{self.name}" in lose


class WouldLose(UnsafeOperation):
    """A downgrade takes columns or tables that nobody has named. It is rolled back; `losses` says what they are."""

    def __init__(self, place: str, losses: Collection[Loss]) -> None:
        self.place = place
        self.losses = losses
        options = " ".join(f"-x {shlex.quote(f'lose={loss.name}')}" for loss in losses)
        self.insist = f"If that is meant, run the same command with {options}"
        names = ", ".join(loss.name for loss in losses)
        super().__init__(f"{place}: this downgrade takes {names}. {self.insist}")


def losses_of(effect: Effect, before: Snapshot, is_in_use: bool) -> list[Loss]:
    """Return what the effect takes of what was there; nothing when an earlier attempt has taken it.

    Args:
        before: the catalog before the transaction, or the operation, of the effect.
    """
    found = next((key for key, thing in before.relations() if thing.name == effect.table), None)
    if found is None:
        return []
    there = before.column_names(found)
    columns = [column for column in effect.columns if column in there] if effect.columns else [None]
    return [Loss(effect.table, column, is_in_use, effect.is_copied) for column in columns]


def without_parts(losses: Iterable[Loss], before: Snapshot) -> Iterator[Loss]:
    """Leave out what a part of a table loses together with the whole, whose rows count those of its parts."""
    taken = {(loss.table, loss.column) for loss in losses}
    wholes = {thing.name: set(before.wholes(key)) for key, thing in before.relations()}
    for loss in losses:
        if not any((whole, loss.column) in taken for whole in wholes.get(loss.table, ())):
            yield loss


def require_nothing_lost(connection: Connection, found: WouldLose) -> None:
    """Let the downgrade go on if what it takes is empty, and no release uses it.

    Looks at the values, so the transaction that took them must have been rolled back.

    Raises:
        UnsafeOperation: something would be lost. The sentence says how much, and how to insist.
        DBAPIError: a lock was not to be had in time.
    """
    lost = [(loss, said) for loss in found.losses if (said := _said(connection, loss))]
    if not lost:
        return
    what = "; ".join(f"{loss.name}, {said}" for loss, said in lost)
    raise UnsafeOperation(
        f"{found.place}: this downgrade would throw away {what}. Nothing of it was dropped. {found.insist}"
    )


def _said(connection: Connection, loss: Loss) -> str:
    """Return what is said of a loss; empty when nothing is lost."""
    number = 0 if loss.is_copied else _count(connection, loss)
    if number is None:
        what = "of which we may not see all, or not within 5 seconds"
    elif number > MOST_COUNTED:
        what = f"with {'values in ' if loss.column else ''}more than {MOST_COUNTED:,} rows"
    else:
        rows = "1 row" if number == 1 else f"{number:,} rows"
        what = f"with values in {rows}" if loss.column else f"with {rows}"
    if loss.is_in_use:
        return f"{what}, which the live release still uses"
    return "" if number == 0 else what


def _count(connection: Connection, loss: Loss) -> int | None:
    """Count the rows, or those with a value, up to MOST_COUNTED and one more.

    A composite value is one also if all of its fields are NULL, which IS NOT NULL denies.

    Returns:
        None: that takes too long, or row security hides rows.
    """
    schema, _, name = loss.table.partition(".")
    where = f" WHERE {quote(loss.column)} IS DISTINCT FROM NULL" if loss.column else ""
    rows = f"SELECT FROM {quote(schema)}.{quote(name)}{where} LIMIT {MOST_COUNTED + 1}"
    try:
        with tried(connection):
            connection.execute(SETTINGS)
            counted = connection.exec_driver_sql(
                f"SELECT count(*) FROM ({rows}) found",  # noqa: S608
                execution_options={"no_parameters": True},
            )
            return int(counted.scalar_one())
    except DBAPIError as error:
        if sqlstate(error) not in (QUERY_CANCELED, NOT_ALLOWED):
            raise
        return None
