"""A sample of many cases for `make test`; all of them run among all other tests, and on each version of PostgreSQL."""

from collections.abc import Sequence
from typing import TypeVar

import pytest

SPELLED_OUT = (pytest.mark.minutes, pytest.mark.each_server)

Case = TypeVar("Case")


def one_in(number: int, cases: Sequence[Case]) -> list[object]:
    """The cases as parameters. One in so many is run by `make test`."""
    return [case if place % number == 0 else pytest.param(case, marks=SPELLED_OUT) for place, case in enumerate(cases)]
