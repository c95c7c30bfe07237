"""Other ways to a database than the migration's connection. What a revision does there is committed unseen.

A connection from any pool of SQLAlchemy is refused before it is handed out: of another engine, or of the project's own
session. One that is opened by the driver itself is not seen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from app.release.effects.origin import origin
from app.release.errors import UnsafeOperation

CONNECTION, CURSOR = "a connection of its own", "a cursor of the driver"


@contextmanager
def refused(module: ModuleType, is_allowed: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Let no line of the revision take another connection. Also while it is only rendered, or tried on scratch.

    Args:
        module: the revision's.
        is_allowed: whether one may be taken now.
    """

    def refuse(*_: Any) -> None:
        found = origin(module)
        if found.line is None or found.is_operation or is_allowed():
            return
        raise UnsafeOperation(
            f"{Path(str(module.__file__)).name}:{found.line}: What {CONNECTION} does is committed before anybody has"
            " judged it. Use op.get_bind(), which is the migration's own."
        )

    event.listen(Pool, "checkout", refuse)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", refuse)
