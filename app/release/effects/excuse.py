"""`excused("reason")`: a deliberate exception from the judgement, for one statement of a revision."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

from app.release.errors import UnsafeOperation

SHORTEST_REASON = 12  # characters; "ok" says nothing to whoever reads the revision next


@contextmanager
def excused(reason: str) -> Iterator[None]:
    """Let one statement do what the judgement would refuse.

    Args:
        reason: why it is safe here, for whoever reads the revision.

    Raises:
        UnsafeOperation: the reason says nothing, or more than one statement was sent.
    """
    if len(reason.strip()) < SHORTEST_REASON:
        raise UnsafeOperation("excused() takes the reason why the statement is safe here, in a sentence.")
    guard = op.get_context().opts.get("guard")
    if guard is None:  # --sql mode, or a database that no release serves
        yield
        return
    with guard.excusing(reason):
        yield
