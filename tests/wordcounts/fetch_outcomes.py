"""Fetches that fail."""

import pytest

from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import fetch
from tests.waiting import wait_until
from tests.wordcounts.page_server import PageServer


def failure(server: PageServer, url: str | None = None, deadline: float = 5.0) -> FetchFailed:
    """The failure of a fetch. Checks too that no connection was left open."""
    with pytest.raises(FetchFailed) as failed:
        fetch(url or server.url(), allowed_servers=server.allowed, deadline_seconds=deadline)
    hung_up(server)
    return failed.value


def hung_up(server: PageServer) -> None:
    """Wait until the client has closed every connection; fails if it does not."""
    wait_until(lambda: server.open_connections == 0, "no connection is left open", within=5)
