"""Origin of a statement: the line of the revision that is running, and whether it called an operation."""

import sys
from types import FrameType, ModuleType
from typing import NamedTuple

OPERATIONS = f"{__name__.rpartition('.effects.')[0]}.operations"


class Origin(NamedTuple):
    line: int | None  # of the revision's file; None when no line of it is running
    is_operation: bool  # whether one of app.release.operations runs, which are judged beforehand


def origin(module: ModuleType) -> Origin:
    """
    Args:
        module: the revision's.
    """
    frame: FrameType | None = sys._getframe(1)
    is_operation = False
    while frame is not None and frame.f_globals is not module.__dict__:
        is_operation = is_operation or frame.f_globals.get("__name__", "").startswith(OPERATIONS)
        frame = frame.f_back
    return Origin(frame.f_lineno if frame else None, is_operation)
