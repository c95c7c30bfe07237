"""The deadline of a fetch holds for slow servers: in DNS, connecting, TLS, headers, body, and over all redirects."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import fetch
from tests.wordcounts.hostile_answers import DRIPPING, HANDSHAKE, POURING, drip
from tests.wordcounts.page_server import Answer, PageServer, answering, failure, redirect, unresponsive

DEADLINE = 0.6  # seconds, instead of the fifteen of production


@contextmanager
def ends_in_time() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert DEADLINE - 0.05 < time.monotonic() - started < DEADLINE + 1


@pytest.mark.parametrize("answer", DRIPPING.values(), ids=DRIPPING.keys())
def test_it_holds_for_a_server_that_drips(answer: Answer) -> None:
    with answering(answer) as server, ends_in_time():
        refusal = failure(server, deadline=DEADLINE)
        assert (refusal.code, refusal.is_transient) == (Failure.DEADLINE, True)


@pytest.mark.parametrize("answer", POURING.values(), ids=POURING.keys())
def test_it_holds_for_a_server_that_floods_without_a_page(answer: Answer) -> None:
    with answering(answer) as server, ends_in_time():
        assert failure(server, deadline=DEADLINE).code is Failure.DEADLINE


def test_it_holds_for_a_tls_handshake_that_drips() -> None:
    with PageServer({}, at_connect=HANDSHAKE) as server, ends_in_time():
        assert failure(server, server.url().replace("http:", "https:"), DEADLINE).code is Failure.DEADLINE


def test_it_holds_over_all_redirects_together() -> None:
    slow = {f"/{n}": drip(b"", [b"", b"", b"", b"", redirect(f"/{n + 1}")]) for n in range(9)}
    with PageServer(slow) as server, ends_in_time():
        assert failure(server, server.url("/0"), DEADLINE).code is Failure.DEADLINE
        assert 1 < len(server.requests) < 5


def test_it_holds_for_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(10) and [])
    with ends_in_time(), pytest.raises(FetchFailed) as refusal:
        fetch("http://page.test/", deadline_seconds=DEADLINE)
    over.set()
    assert (refusal.value.code, refusal.value.is_transient) == (Failure.DEADLINE, True)


def test_it_holds_for_a_server_that_accepts_no_connection() -> None:
    with unresponsive("127.0.0.1") as port, ends_in_time(), pytest.raises(FetchFailed) as refusal:
        fetch(f"http://127.0.0.1:{port}/", allowed_servers=frozenset({("127.0.0.1", port)}), deadline_seconds=DEADLINE)
    assert refusal.value.code is Failure.DEADLINE
