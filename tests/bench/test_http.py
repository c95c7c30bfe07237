"""The measuring over HTTP is held to what it says: figures, ratios, and what counts as failed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.bench.figures import Spread
from tools.bench.http import PARTS, Turn, cpu, paired, refuse_failures
from tools.bench.load import NO_ANSWER, Request, closed_loop

LIST = PARTS["servers"][0]


def turn(target: str, number: int, *, requests: int = 10, web: float = 0.1, database: float = 0.1) -> Turn:
    return Turn(target, LIST.name, number, 1.0, [0.01] * requests, web, database)


def test_ratios_are_of_the_same_round() -> None:
    turns = [turn("here", 0, web=0.1), turn("old", 0, web=0.3), turn("here", 1, web=1.9), turn("old", 1, web=3.9)]
    assert paired(turns, ("here", "old"), LIST.name, cpu) == pytest.approx(Spread(0.5, 0.5, 0.5))
    with pytest.raises(LookupError):
        paired(turns[:1] + turns[3:], ("here", "old"), LIST.name, cpu)


class Answering(BaseHTTPRequestHandler):
    """Answer with the status of the path, and a body that comes in pieces; or not at all."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/none":
            self.close_connection = True
            return
        self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", "6")
        self.send_header("Location", "/sign-in?next=/notes" if self.path == "/303" else "/notes")
        if self.headers["Connection"] == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        for piece in (b"abc", b"def"):
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_every_client_is_answered_also_where_the_server_closes(port: int) -> None:
    requests = [Request("GET", "/200", {"Connection": "close"}), Request("GET", "/200", {})]
    outcome = closed_loop(port, requests, 200, clients=3, seconds=0.2)
    assert len(outcome.latencies) > 3
    assert not outcome.failed


def test_a_redirect_to_sign_in_is_a_failure_and_a_server_that_is_not_there(port: int) -> None:
    assert closed_loop(port, [Request("GET", "/303", {})], 303, clients=1, seconds=0).failed == {NO_ANSWER: 1}
    assert not closed_loop(port, [Request("GET", "/302", {})], 302, clients=1, seconds=0).failed
    assert closed_loop(1, [Request("GET", "/", {})], 200, clients=3, seconds=1).failed == {NO_ANSWER: 3}


@pytest.mark.parametrize(("path", "status"), [("/500", 500), ("/none", NO_ANSWER)])
def test_what_was_not_expected_is_a_failure_that_ends_the_command(port: int, path: str, status: int) -> None:
    outcome = closed_loop(port, [Request("GET", "/200", {}), Request("GET", path, {})], 200, clients=2, seconds=0)
    assert (len(outcome.latencies), outcome.failed) == (1, {status: 1})
    with pytest.raises(SystemExit, match="FAILED  the list: 1 ×"):
        refuse_failures("the list", outcome)
