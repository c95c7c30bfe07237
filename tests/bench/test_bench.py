"""The measuring, over HTTP and of schema changes, is held to what it says; so are the releases of bench.preboot."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.bench.figures import Spread
from tools.bench.http import PARTS, Turn, cpu, paired, refuse_failures
from tools.bench.load import NO_ANSWER, Request, closed_loop
from tools.bench.preboot import releases
from tools.bench.preboot.letters import Letters
from tools.bench.release.figures import criteria, figures
from tools.bench.release.traffic import Answer
from tools.bench.release.trial import Trial

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
        self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
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


def trial(side: str, *latencies: float, status: int = 200, nulls: int | None = 0) -> Trial:
    answers = [Answer(number / 10, latency, status, "list", 1) for number, latency in enumerate(latencies)]
    return Trial("backfill", side, 5.0, answers, migration=(1.0, 2.0), exit_code=0, nulls=nulls)


def verdicts(ours: Trial) -> set[str]:
    return {criterion.promise for criterion in criteria(trial("baseline", 0.01, 0.02), ours) if not criterion.holds}


def test_a_promise_is_kept_or_named() -> None:
    assert verdicts(trial("ours", 0.05)) == set()
    assert verdicts(trial("ours", 0.07)) == {"p99, against 3 × the baseline's"}
    assert verdicts(trial("ours", 0.05, status=500)) == {"no request fails"}
    assert verdicts(trial("ours", 0.05, nulls=1)) == {"no row without a value"}
    assert verdicts(trial("ours", 0.05, nulls=None)) == {"no row without a value"}  # it was not even counted

    slow, untrue = {"no request takes over 1 s"}, {"no row with a wrong value"}
    for latency, wrong, broken in ((0.05, 0, set()), (1.2, 0, slow), (0.05, 1, untrue), (0.05, None, untrue)):
        ours = trial("ours", latency)
        ours.scenario, ours.wrong = "type", wrong
        assert verdicts(ours) == broken
    assert figures(trial("ours", 0.1, 31.0)).failed == 1  # nobody waits half a minute


ROOT = Path(__file__).parents[2]


def test_each_anchor_stands_once_in_its_file() -> None:
    counts = {place: (ROOT / place.split(" ")[0]).read_text().count(text) for place, text in releases.ANCHORS.items()}
    assert counts == dict.fromkeys(releases.ANCHORS, 1)


def test_a_letter_that_did_not_come_is_lost_and_one_that_came_again_is_told() -> None:
    letters = Letters(deferred=["a", "b", "c"])
    letters.mailbox.recipients += ["a", "b", "b"]
    assert (letters.lost, letters.twice) == (1, 1)
