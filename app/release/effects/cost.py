"""What a revision cost: the longest lock on each table, rows written, attempts, time."""

import time
from dataclasses import dataclass, field
from typing import Any

from app.release.effects.effect import shown
from app.release.effects.record import Transaction


@dataclass
class Cost:
    """
    Args:
        locks: table: mode and seconds of the longest lock that made others wait. Upper bounds: they begin when the
            statement was sent, so they hold the time that it waited too.
        rows: updated, deleted or backfilled.
    """

    locks: dict[str, tuple[str, float]] = field(default_factory=dict)
    rows: int = 0
    began: float = field(default_factory=time.monotonic)

    def add_lock(self, table: str, mode: str, seconds: float) -> None:
        if seconds >= self.locks.get(table, ("", 0.0))[1]:
            self.locks[table] = (mode, seconds)

    def add_transaction(self, transaction: Transaction) -> None:
        """The locks and rows of a transaction that is about to commit."""
        records = transaction.records
        if not records:
            return
        now = time.monotonic()
        since: dict[int, float] = {}
        for record in records:
            for oid in record.held.locks:
                since.setdefault(oid, record.sent_at)
        for oid, mode in records[-1].held.locks.items():
            if name := transaction.table(oid):
                self.add_lock(shown(name), mode, now - since[oid])
        self.rows += sum(records[-1].held.rows.values()) - sum((transaction.written_before or {}).values())

    def as_json(self, attempts: int) -> dict[str, Any]:
        """For the ledger; times in milliseconds."""
        return {
            "locks": {table: [mode, round(seconds * 1000)] for table, (mode, seconds) in self.locks.items()},
            "rows": self.rows,
            "attempts": attempts,
            "milliseconds": round((time.monotonic() - self.began) * 1000),
        }
