"""A sample of many cases for `make test`, and on each version of PostgreSQL; of all others CI runs every second one on
the newest version and the rest on the oldest.
"""

import itertools
from collections.abc import Sequence
from typing import TypeVar

import pytest

SPELLED_OUT = (pytest.mark.minutes, pytest.mark.each_server)
ON_ONE_SERVER = ((pytest.mark.minutes,), (pytest.mark.minutes, pytest.mark.oldest_server))

Case = TypeVar("Case")


def one_in(number: int, cases: Sequence[Case]) -> list[object]:
    """The cases as parameters. One in so many is run by `make test`."""
    return sampled(cases, cases[::number])


def sampled(cases: Sequence[Case], sample: Sequence[Case]) -> list[object]:
    """The cases as parameters. Those of the sample are run by `make test`."""
    others = itertools.cycle(ON_ONE_SERVER)
    return [case if case in sample else pytest.param(case, marks=next(others)) for case in cases]
