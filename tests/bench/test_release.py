"""The measuring of schema changes is held to what it says: a measurement that flatters is worse than none."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.bench.release.figures import criteria, figures
from tools.bench.release.traffic import Answer, Plan, Traffic, Visitor
from tools.bench.release.trial import Trial

STALL = 0.6  # seconds


class Stalling(BaseHTTPRequestHandler):
    """Answers at once, but for one stall in which nobody is answered."""

    protocol_version = "HTTP/1.1"
    stall_until = 0.0

    def do_GET(self) -> None:
        time.sleep(max(0.0, Stalling.stall_until - time.monotonic()))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(max(0.0, Stalling.stall_until - time.monotonic()))
        self.send_response(302)
        self.send_header("Location", "/sign-in" if self.path == "/notes" else "/notes/1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_latency_counts_from_the_due_time_also_of_what_could_not_be_sent(port: int) -> None:
    people = [Visitor(number, "", "") for number in (1, 2)]  # two connections for 50 requests a second: they queue
    with Traffic(Plan(port, people, notes=100, users=2, rate=50)) as traffic:
        time.sleep(0.4)
        stalled = time.monotonic()
        Stalling.stall_until = stalled + STALL
        time.sleep(STALL + 0.4)
        answers = traffic.stop()
    stalled_ones = [answer for answer in answers if stalled + 0.03 < answer.due < stalled + STALL - 0.03]
    assert len(stalled_ones) >= 20  # none was left out because the one before it took long
    assert all(answer.due + answer.latency >= stalled + STALL for answer in stalled_ones)


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

    for latency, wrong, broken in (
        (0.05, 0, set()),
        (1.2, 0, {"no request takes over 1 s"}),
        (0.05, 1, {"no row with a wrong value"}),
        (0.05, None, {"no row with a wrong value"}),
    ):
        ours = trial("ours", latency)
        ours.scenario, ours.wrong = "type", wrong
        assert verdicts(ours) == broken
    assert figures(trial("ours", 0.1, 31.0)).failed == 1  # nobody waits half a minute
