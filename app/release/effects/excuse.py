"""`excused("reason")`: a deliberate exception from the judgement, for one statement of a revision."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

from app.release.effects import statements
from app.release.errors import UnsafeOperation

SHORTEST_REASON = 12  # characters; "ok" says nothing to whoever reads the revision next


class Excuse:
    """The block of an excused(), which is open or not."""

    def __init__(self) -> None:
        self.reason: str | None = None  # None: no block is open
        self._statements = 0

    @contextmanager
    def block(self, reason: str) -> Iterator[None]:
        self.reason, self._statements = reason, 0
        try:
            yield
        finally:
            self.reason = None

    def count(self, sql: str) -> None:
        """
        Raises:
            UnsafeOperation: it is the second statement of an open block.
        """
        self._statements += len(statements.pieces(sql)) if self.reason is not None else 0
        if self._statements > 1:
            raise UnsafeOperation("excused() is for one statement; give each its own, with its own reason.")


@contextmanager
def excused(reason: str) -> Iterator[None]:
    """Let one statement do what the judgement would refuse. Requests may wait for the revision, however long.

    Args:
        reason: why it is safe here, for whoever reads the revision.

    Raises:
        UnsafeOperation: the reason says nothing, or more than one statement was sent.
    """
    if len(reason.strip()) < SHORTEST_REASON:
        raise UnsafeOperation("excused() takes the reason why the statement is safe here, in a sentence.")
    opts = op.get_context().opts
    if "blockers" in opts:
        opts["blockers"].may_hold_up = True  # also when the block ends: the transaction keeps its locks
    guard = opts.get("guard")
    if guard is not None:
        with guard.excusing(reason):
            yield
        return
    opts["excused"] = True  # --sql mode, or a database that no release serves: for what an operation asks by itself
    try:
        yield
    finally:
        opts["excused"] = False
