"""Broken, hostile and slow servers: the failure of each answer, bombs that do not go off, and the deadline."""

import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.wordcounts.failures import Failure, FetchFailed
from tests.wordcounts.hostile_answers import DRIPPING, HANDSHAKE, MIB, POURING, WITHOUT_END, bombs, drip, pour
from tests.wordcounts.page_server import (
    Answer,
    PageServer,
    answering,
    failure,
    fetch,
    hung_up,
    page,
    redirect,
    unresponsive,
)

BOMBS = bombs()
CHUNKED = "Transfer-Encoding: chunked"
SMALL = (b"100\r\n" + b"a" * 256 + b"\r\n") * 99


@pytest.mark.parametrize(
    ("answer", "code", "is_transient"),
    [
        pytest.param(pour(page(b""), WITHOUT_END(b"a" * 65536)), Failure.TOO_LARGE, False, id="endless body"),
        pytest.param(pour(page(b"", CHUNKED), WITHOUT_END(SMALL)), Failure.TOO_LARGE, False, id="endless small chunks"),
        pytest.param(page(b"short", "Content-Length: 100"), Failure.NETWORK, True, id="short body"),
        pytest.param(page(b"5\r\nshort\r\n", CHUNKED), Failure.NETWORK, True, id="a chunk is missing"),
        pytest.param(page(b"zz\r\na", CHUNKED), Failure.NETWORK, True, id="no size of a chunk"),
        pytest.param(page(b"a", "Content-Length: 1, 2"), Failure.NETWORK, False, id="two lengths"),
        pytest.param(pour(b"HTTP/1.1 200\r\n", WITHOUT_END(b"A: b\r\n")), Failure.NETWORK, False, id="endless headers"),
        pytest.param(pour(b"", WITHOUT_END(b"HTTP" * 999)), Failure.NETWORK, False, id="endless status line"),
        pytest.param(redirect("/" + "a" * 70_000), Failure.NETWORK, False, id="endless redirect"),
        pytest.param(redirect("/" + "a" * 60_000), Failure.URL, False, id="long redirect"),
        pytest.param(redirect("/a\r\n b"), Failure.URL, False, id="redirect in two lines"),
        pytest.param(redirect(b"/\x00"), Failure.URL, False, id="redirect with a zero"),
        pytest.param(redirect(b"http://\xff/"), Failure.URL, False, id="redirect to no letters"),
        pytest.param(b"", Failure.NETWORK, True, id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", Failure.NETWORK, False, id="not HTTP"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", Failure.NETWORK, False, id="no status"),
        pytest.param(page(b"a", "Transfer-Encoding: gzip, chunked"), Failure.ENCODING, False, id="packed in transfer"),
        pytest.param(page(b"no gzip", "Content-Encoding: gzip"), Failure.ENCODING, False, id="no gzip"),
        pytest.param(page(b"a", "Content-Encoding: br"), Failure.ENCODING, False, id="another encoding"),
        pytest.param(page(b"a", "Content-Encoding: gzip;q=1"), Failure.ENCODING, False, id="gzip with a weight"),
        pytest.param(page(b"a", "Content-Encoding: none, deflate"), Failure.ENCODING, False, id="none and another"),
        pytest.param(page(b"a", "Content-Encoding: gzip, x-gzip"), Failure.ENCODING, False, id="two of one"),
    ],
)
def test_a_broken_or_hostile_answer_is_refused(answer: Answer, code: Failure, is_transient: bool) -> None:
    with answering(answer) as server:
        refusal = failure(server)
        assert (refusal.code, refusal.is_transient) == (code, is_transient)


def test_it_closes_the_connection_after_a_page_and_on_every_hop() -> None:
    for ending in (page(b"a", "Content-Length: 1", "Connection: keep-alive"), page(b"a")):
        with PageServer({"/": redirect("/there"), "/there": ending}) as server:
            fetch(server.url(), allowed_servers=server.allowed)
            hung_up(server)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str) -> None:
    code, answer = BOMBS[name]
    started = time.thread_time()  # of work, which a busy machine does not make longer
    with answering(answer) as server:
        assert failure(server).code == code
    assert time.thread_time() - started < 2


@pytest.mark.parametrize("name", BOMBS)
def test_it_takes_less_than_64_megabytes(name: str) -> None:
    tracemalloc.start()
    try:
        with answering(BOMBS[name][1]) as server:
            failure(server)
        assert tracemalloc.get_traced_memory()[1] < 64 * MIB  # at its peak, with what the server holds
    finally:
        tracemalloc.stop()


DEADLINE = 0.4  # seconds, instead of the fifteen of production


@contextmanager
def ends_in_time() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert DEADLINE - 0.05 < time.monotonic() - started < DEADLINE + 1


def test_it_holds_for_a_server_that_drips() -> None:
    def fetch_from(name: str) -> None:
        with answering(DRIPPING[name]) as server, ends_in_time():
            refusal = failure(server, deadline=DEADLINE)
            assert (refusal.code, refusal.is_transient) == (Failure.DEADLINE, True), name

    with ThreadPoolExecutor(len(DRIPPING)) as threads:
        list(threads.map(fetch_from, DRIPPING))


@pytest.mark.parametrize("answer", POURING.values(), ids=POURING)
def test_it_holds_for_a_server_that_floods_without_a_page(answer: Answer) -> None:
    with answering(answer) as server, ends_in_time():
        assert failure(server, deadline=DEADLINE).code is Failure.DEADLINE


def test_it_holds_for_a_tls_handshake_that_drips() -> None:
    with PageServer({}, at_connect=HANDSHAKE) as server, ends_in_time():
        assert failure(server, server.url().replace("http:", "https:"), DEADLINE).code is Failure.DEADLINE


def test_it_holds_over_all_redirects_together() -> None:
    slow = {f"/{n}": drip(b"", [b"", b"", redirect(f"/{n + 1}")]) for n in range(9)}
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
