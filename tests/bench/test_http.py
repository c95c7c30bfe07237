"""The measuring over HTTP is held to what it says: figures, the page that peers give, and what counts as failed."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from xml.etree import ElementTree

import jinja2
import pytest

from app.dev import ports
from tools.bench.http import page, picture
from tools.bench.http.cost import cpu_seconds
from tools.bench.http.figures import Spread, Turn, cpu, paired, rate, spread
from tools.bench.http.load import NO_ANSWER, Plan, run
from tools.bench.http.proxy import proxy
from tools.bench.http.report import failures, servers
from tools.bench.http.rows import Visitor
from tools.bench.http.statements import LINE, NOTHING_ASKED

TOKEN = "IjFh.token"
ROW = (
    '<article id="note-{id}"><a href="/notes/{id}">{title}</a><p>{text}</p>'
    "<footer>{time}<span></span></footer></article>"
)
SHELL = (
    '<p style="width: 50%">reader01</p><form><input type="hidden" name="csrf_token" value="{token}"></form>{rows}<b/>'
)


def turn(target: str, number: int, *, requests: int = 10, web: float = 0.1, database: float = 0.1) -> Turn:
    return Turn(target, "list", number, 1.0, [0.01] * requests, Counter(), 100, web, database, 0.01)


def test_ratios_are_of_the_same_round() -> None:
    turns = [turn("ours", 0, web=0.1), turn("theirs", 0, web=0.3), turn("ours", 1, web=1.9), turn("theirs", 1, web=3.9)]
    assert paired(turns, ("ours", "list"), ("theirs", "list"), cpu) == pytest.approx(Spread(0.5, 0.5, 0.5))
    with pytest.raises(LookupError):
        paired(turns[:1] + turns[3:], ("ours", "list"), ("theirs", "list"), cpu)


def test_cpu_is_of_the_web_and_the_database_for_each_request() -> None:
    assert cpu(turn("ours", 0, requests=10, web=0.3, database=0.2)) == pytest.approx(50)
    assert rate(turn("ours", 0, requests=10)) == 10


def test_a_spread_is_of_quartiles_where_there_are_enough_values() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == Spread(3.0, 2.0, 4.0)


def test_a_table_has_our_ratio_to_every_other_target() -> None:
    turns = [turn(name, number, web=web) for number in range(4) for name, web in {"ours": 0.1, "django": 0.3}.items()]
    lines = list(servers(turns, ["ours", "django"], "list"))
    [ratios] = [line for line in lines[lines.index("") :] if "Django" in line]
    assert [cell.strip() for cell in ratios.split("|")[2:4]] == ["0.50 (0.50 to 0.50)", "0.33 (0.33 to 0.33)"]
    assert not any("this service" in line for line in lines[lines.index("") :])


def row(number: int, **values: str) -> str:
    shown = {"title": f"Note {number}", "text": "once &lt;more", "time": "10:00 AM"}
    return ROW.format(id=7000 + number, **{**shown, **values})


def our_page() -> Visitor:
    html = SHELL.format(token=TOKEN, rows=f"{row(1)}<h2>Saturday</h2>{row(2)}")
    return Visitor("", {"csrf_token": TOKEN}, html)


NOTE = page.Note(7001, "Note 1", "once <more")


def test_a_peer_is_given_the_same_page_as_a_template() -> None:
    template = page.template(our_page(), "reader01", NOTE, page.JINJA)
    stored = [{"id": 7003, "title": "<b>", "content": "x" * 300, "created_at": FakeTime()}]
    shown = jinja2.Environment(autoescape=True).from_string(template)
    html = shown.render(notes=stored, current_user={"nickname": "jun"}, csrf_token=lambda: "another")
    expected = row(3, title="&lt;b&gt;", text="x" * 200, time="at %-I:%M %p")
    assert html == SHELL.format(token="another", rows=f"{expected}\n").replace("reader01", "jun")
    assert TOKEN not in template


class FakeTime:
    def strftime(self, pattern: str) -> str:
        return f"at {pattern}"


def test_a_per_cent_sign_stays_one_where_the_template_is_of_python() -> None:
    before, rows, after = page.template(our_page(), "reader01", NOTE, page.WSGI).split("<!-- rows -->")
    assert before % {"reader": "jun"} == SHELL.split("{rows}")[0].format(token=TOKEN).replace("reader01", "jun")
    values = {"id": 7004, "title": "Note 4", "text": "once &lt;more", "time": "10:00 AM"}
    assert rows % values == f"{row(4)}\n"
    assert after == "<b/>"


def test_a_page_that_does_not_show_the_note_is_refused() -> None:
    with pytest.raises(LookupError, match="Another title"):
        page.template(our_page(), "reader01", NOTE._replace(title="Another title"), page.JINJA)
    with pytest.raises(LookupError, match="article"):
        page.template(our_page()._replace(page="<p>nothing</p>"), "reader01", NOTE, page.JINJA)


@pytest.mark.parametrize("theirs", [f"{row(1)}{row(2)}{'.' * 100}", f"{row(1)}{'.' * len(row(2))}", row(1)])
def test_a_peer_with_another_page_is_refused(theirs: str) -> None:
    page.refuse_other_size("same", row(1) + row(3), row(1) + row(2))
    with pytest.raises(RuntimeError, match="other"):
        page.refuse_other_size("other", theirs, row(1) + row(2))


class Answering(BaseHTTPRequestHandler):
    """Answers in two ways: with a body that comes in pieces, or not at all."""

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
    for header in ("", "Connection: close\r\n"):
        outcome = run(Plan(port, [f"GET /200 HTTP/1.1\r\n{header}\r\n".encode()], 200, clients=3, seconds=0.2))
        assert len(outcome.latencies) > 3
        assert not outcome.failed
        assert outcome.received > 6 * len(outcome.latencies)


def test_a_redirect_to_sign_in_is_a_failure_where_a_redirect_was_expected(port: int) -> None:
    outcome = run(Plan(port, [b"GET /303 HTTP/1.1\r\n\r\n"], 303, clients=1, seconds=0))
    assert outcome.failed == {NO_ANSWER: 1}
    assert not run(Plan(port, [b"GET /302 HTTP/1.1\r\n\r\n"], 302, clients=1, seconds=0)).failed


def test_a_server_that_is_not_there_is_a_failure_of_every_client() -> None:
    [nobody] = ports.find_free(1)
    outcome = run(Plan(nobody, [b"GET / HTTP/1.1\r\n\r\n"], 200, clients=3, seconds=1))
    assert outcome.failed == {NO_ANSWER: 3}


@pytest.mark.parametrize(("path", "status"), [("/500", 500), ("/302", 302), ("/none", NO_ANSWER)])
def test_what_was_not_expected_is_a_failure(port: int, path: str, status: int) -> None:
    requests = [b"GET /200 HTTP/1.1\r\n\r\n", f"GET {path} HTTP/1.1\r\n\r\n".encode()]
    outcome = run(Plan(port, requests, 200, clients=2, seconds=0))
    assert len(outcome.latencies) == 1
    assert outcome.failed == {status: 1}
    assert list(failures([turn("ours", 0)])) == []
    [told] = failures([turn("ours", 0)._replace(failed=outcome.failed)])
    assert told.startswith("FAILED  ours")


def test_cpu_of_a_process_that_has_ended_still_counts() -> None:
    before = cpu_seconds(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert cpu_seconds(os.getpid()) - before >= 0.25  # the clock of the system ticks a hundred times a second


class Echoing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@pytest.mark.servers
def test_the_proxy_passes_everything_on_and_makes_each_round_trip_longer() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echoing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with proxy(server.server_address[1]) as (port, delay), socket.create_connection(("127.0.0.1", port)) as client:
            delay.value = 0.1
            began = time.monotonic()
            for sent in (b"SELECT 1", b"SELECT 2"):
                client.sendall(sent)
                assert client.recv(1024) == sent
            assert time.monotonic() - began >= 0.2
        server.shutdown()


LOG = """\
2026-11-22 10:00:00.000 UTC [1] LOG:  statement: BEGIN
2026-11-22 10:00:00.000 UTC [1] LOG:  statement: 
\tSELECT nickname
\tFROM users
2026-11-22 10:00:00.000 UTC [1] DETAIL:  none
2026-11-22 10:00:00.000 UTC [1] LOG:  execute __asyncpg_1__: SELECT id
2026-11-22 10:00:00.000 UTC [1] LOG:  statement: 
2026-11-22 10:00:00.000 UTC [1] LOG:  statement: ROLLBACK
2026-11-22 10:00:00.000 UTC [1] LOG:  statement: SET LOCAL statement_timeout = '20s'; 
	SELECT title
2026-11-22 10:00:00.000 UTC [1] LOG:  statement: SET TIME ZONE 'UTC'
"""  # noqa: W291 - as PostgreSQL writes it


def test_statements_are_told_from_round_trips_that_ask_for_nothing() -> None:
    entries = LINE.findall(LOG)
    ours = "SET LOCAL statement_timeout = '20s'; "  # and what follows in the same message
    assert entries == ["BEGIN", "SELECT nickname", "SELECT id", "", "ROLLBACK", ours, "SET TIME ZONE 'UTC'"]
    assert [entry for entry in entries if not NOTHING_ASKED.match(entry)] == ["SELECT nickname", "SELECT id", ours]


def test_the_picture_is_well_formed_and_as_long_as_the_figures() -> None:
    turns = [
        turn(name, number, web=web)._replace(work=work)
        for number in range(4)
        for work in ("list", "create")
        for name, web in {"ours": 0.1, "wsgi": 0.05, "django": 0.2}.items()
    ]
    conditions = {"workers": 2, "clients": 16, "rounds": 4, "cores": 2}
    drawn = ElementTree.fromstring(picture.draw(turns, ["ours", "wsgi", "django"], conditions))  # noqa: S314 - ours
    paths = [path for path in drawn.iter("{http://www.w3.org/2000/svg}path") if path.get("class") == "web"]
    lengths = [float(path.get("d", "").split("h")[1].split("v")[0]) for path in paths[1:4]]  # after the legend's
    assert [later / earlier for earlier, later in pairwise(lengths)] == pytest.approx([0.5, 4], rel=0.01)
