"""Losses: what a downgrade throws away, which somebody has to name before it does.

A downgrade takes what its upgrade gave, with all that was written there since. So it stops, says what is there, and
goes on when the command names it: -x lose=notes.colour.
"""

import shlex
from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from online_migrations.connection import execute_verbatim
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import Effect, shown
from online_migrations.guard.proofs import quoted, tried
from online_migrations.guard.snapshot import Key, Snapshot
from online_migrations.locks import QUERY_CANCELED, sqlstate
from online_migrations.sql import quote

LOSES = ("drops-table", "drops-column")
MOST_COUNTED = 100_000  # rows
# A policy that hides rows from us is an error then.
SETTINGS = text("SET LOCAL statement_timeout = '5s'; SET LOCAL row_security = off")
NOT_ALLOWED = "42501"  # SQLSTATE insufficient_privilege


class Loss(NamedTuple):
    table: str  # with its schema
    column: str | None  # None: the whole table
    is_in_use: bool  # by the live release
    is_copied: bool  # its values can be made again of other columns

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


def losses_of(effect: Effect, before: Snapshot, table: Key | None, is_in_use: bool) -> list[Loss]:
    """Return what the effect takes of a table that was there before; None: an earlier attempt has taken it."""
    if table is None:
        return []
    there = before.column_names(table)
    columns = [column for column in effect.columns if column in there] if effect.columns else [None]
    return [Loss(effect.table, column, is_in_use, effect.is_copied) for column in columns]


def without_parts(losses: Collection[Loss], before: Snapshot) -> Iterator[Loss]:
    """Leave out what a part of a table loses together with the whole, whose rows count those of its parts."""
    taken = {(loss.table, loss.column) for loss in losses}
    tables = {loss.table for loss in losses}
    wholes = {thing.name: [*before.wholes(key)] for key, thing in before.relations() if thing.name in tables}
    return (loss for loss in losses if taken.isdisjoint((whole, loss.column) for whole in wholes[loss.table]))


def require_nothing_lost(connection: Connection, found: WouldLose) -> None:
    """Let the downgrade, which has been rolled back, go on if what it takes is empty, and no release uses it.

    Raises:
        UnsafeOperation: something would be lost. The sentence says how much, and how to insist.
        DBAPIError: a lock was not to be had in time.
    """
    lost = []
    for loss in found.losses:
        number = 0 if loss.is_copied else _count(connection, loss)
        if number == 0 and not loss.is_in_use:
            continue
        what = f"{loss.name}, of which we may not see all, or not within 5 seconds"
        if number is not None:
            rows = f"more than {MOST_COUNTED:,}" if number > MOST_COUNTED else f"{number:,}"
            what = f"{loss.name}, with {'values in ' if loss.column else ''}{rows} row{'' if number == 1 else 's'}"
        lost.append(f"{what}, which the live release still uses" if loss.is_in_use else what)
    if lost:
        raise UnsafeOperation(
            f"{found.place}: this downgrade would throw away {'; '.join(lost)}. Nothing of it was dropped."
            f" {found.insist}"
        )


def _count(connection: Connection, loss: Loss) -> int | None:
    """Count the rows, or those with a value, up to MOST_COUNTED and one more; None: too slow, or not all are seen.

    A composite value is one also if all of its fields are NULL, which IS NOT NULL denies.
    """
    where = f" WHERE {quote(loss.column)} IS DISTINCT FROM NULL" if loss.column else ""
    rows = f"SELECT FROM {quoted(loss.table)}{where} LIMIT {MOST_COUNTED + 1}"
    try:
        with tried(connection):
            connection.execute(SETTINGS)
            return int(execute_verbatim(connection, f"SELECT count(*) FROM ({rows}) found").scalar_one())  # noqa: S608
    except DBAPIError as error:
        if sqlstate(error) not in (QUERY_CANCELED, NOT_ALLOWED):
            raise
        return None
