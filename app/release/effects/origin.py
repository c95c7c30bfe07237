"""Origin of a statement: the line of the revision that is running, and whether it called an operation."""

import sys
from types import FrameType, ModuleType
from typing import NamedTuple

OPERATIONS = f"{__name__.rpartition('.effects.')[0]}.operations"


class Origin(NamedTuple):
    line: int | None  # of the revision's file; None when no line of it is running
    is_operation: bool  # whether one of app.release.operations runs, which are judged beforehand
    is_by_sqlalchemy: bool  # whether it goes through SQLAlchemy, and not through the driver alone


def origin(module: ModuleType) -> Origin:
    """
    Args:
        module: the revision's.
    """
    frame: FrameType | None = sys._getframe(1)
    callers = []
    while frame is not None and frame.f_globals is not module.__dict__:
        callers.append(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    is_operation = any(name.startswith(OPERATIONS) for name in callers)
    is_by_sqlalchemy = any(name.startswith("sqlalchemy.") for name in callers)
    return Origin(frame.f_lineno if frame else None, is_operation, is_by_sqlalchemy)
