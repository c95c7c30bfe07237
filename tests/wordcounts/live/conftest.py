"""A server of pages, one of which answers when the test says so."""

from collections.abc import Iterator

import pytest

from tests.wordcounts.live.counting import PAGE, Slow
from tests.wordcounts.page_server import PageServer


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def pages(slow: Slow) -> Iterator[PageServer]:
    """Yield a server of any page by its number, and of a slow one."""
    with PageServer({**{f"/{number}": PAGE for number in range(60)}, "/slow": slow}) as server:
        yield server
        slow.may_answer.set()
