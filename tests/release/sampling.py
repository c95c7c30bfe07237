"""A sample of many cases for `make test`, and on each version of PostgreSQL; of all others CI runs every second one on
the newest version and the rest on the oldest.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import pytest

SPELLED_OUT = (pytest.mark.minutes, pytest.mark.each_server)
ON_ONE_SERVER = ((pytest.mark.minutes,), (pytest.mark.minutes, pytest.mark.oldest_server))

Case = TypeVar("Case")


def one_in(number: int, cases: Sequence[Case]) -> list[object]:
    """Return the cases as parameters. One in so many is run by `make test`."""
    return sampled(cases, cases[::number])


def named(number: int, cases: Mapping[str, Any]) -> list[Any]:
    """Return the values as parameters, those of a tuple each by itself, with the keys as ids. One in so many is run
    by `make test`.
    """
    marked = zip(cases.items(), one_in(number, list(cases)), strict=True)
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), id=name, marks=getattr(one, "marks", ()))
        for (name, case), one in marked
    ]


def sampled(cases: Sequence[Case], sample: Sequence[Case]) -> list[object]:
    """Return the cases as parameters. Those of the sample are run by `make test`."""
    others = itertools.cycle(ON_ONE_SERVER)
    return [case if case in sample else pytest.param(case, marks=next(others)) for case in cases]
