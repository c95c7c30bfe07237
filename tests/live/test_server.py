"""gunicorn by the Procfile: signals, limits, hostile and slow clients (Slowloris), a database that hangs, memory."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from PIL import Image

from app.accounts.access_tokens import new_token
from app.web.request_size import TEXT_BODY_LIMIT
from tests.databases import Environment, migrated_database
from tests.live.conftest import PASSWORD, ROOT, Browser, Service, connect, fetch, running_web
from tests.silent_proxy import SilentProxy
from tests.waiting import wait_until

KEPT_ALIVE = 8  # connections


def test_a_signal_finishes_the_request_in_flight_and_exits_0(server_environment: Environment, tmp_path: Path) -> None:
    """Ctrl-C reaches all processes, `docker stop` the first alone, and an impatient second signal changes nothing.

    Requests that arrive on connections which are kept alive are answered, and nobody new is let in.
    """
    with migrated_database(server_environment) as environment, running_web(environment, tmp_path) as service:
        browser = service.browser()
        browser.sign_up("slow", PASSWORD)
        # A lock on the user's row blocks the request until the test releases it.
        with ThreadPoolExecutor(1) as threads, connect(environment) as blocker, ExitStack() as stack:
            clients = [stack.enter_context(connected(service, GET + b"\r\n")) for _ in range(KEPT_ALIVE)]
            for client in clients:
                assert b"\r\nConnection: keep-alive" in read_response(client)[0]
            blocker.cursor().execute("SELECT 1 FROM users FOR UPDATE")
            answer = threads.submit(browser.post, "/mypage/nickname", nickname="delivered")
            wait_until_blocked_by(service, blocker.info.backend_pid)
            os.killpg(service.process.pid, signal.SIGINT)
            wait_until(lambda: is_refused(service), "no new connection is accepted")
            service.process.send_signal(signal.SIGTERM)
            for client in clients[:-1]:
                client.sendall(GET + b"\r\n")
                head, _ = read_response(client)
                assert head.startswith(b"HTTP/1.1 200 ")
                assert b"\r\nConnection: close" in head
                assert client.recv(1) == b""
            blocker.rollback()
            assert answer.result().status == 302
            assert clients[-1].recv(1) == b""  # nothing came on this one; it is closed in order
        assert service.process.wait(timeout=20) == 0
        assert service.rows("SELECT nickname FROM users") == [("delivered",)]


def is_refused(service: Service) -> bool:
    try:
        socket.create_connection(("127.0.0.1", service.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it waited at the socket that is closed at this moment
        pass
    return False


def wait_until_blocked_by(service: Service, blocker: int) -> None:
    """Wait until a statement is blocked by the transaction of the backend with the process id `blocker`."""
    waiting = f"SELECT 1 FROM pg_stat_activity WHERE {blocker} = ANY (pg_blocking_pids(pid))"
    wait_until(lambda: service.rows(waiting), "a statement waits")


def raw(live: Service, request: bytes) -> bytes:
    """Send raw bytes that no client would send, and return the status line."""
    with connected(live, request) as connection:
        return connection.makefile("rb").readline()


def statuses(live: Service, requests: bytes) -> list[bytes]:
    """Send raw bytes, and return the status of each response until the server closes the connection."""
    with connected(live, requests) as connection:
        return re.findall(rb"HTTP/1\.1 (\d+)", connection.makefile("rb").read())


def test_hostile_http_is_refused(live: Service) -> None:
    post, get = b"POST /sign-in HTTP/1.1\r\nHost: a\r\n", b" HTTP/1.1\r\nHost: a\r\n"
    expected = {
        post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": b"400",
        post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello": b"400",
        post + b"Content-Length: -1\r\n\r\n": b"400",
        b"GET /" + b"x" * 5000 + get + b"\r\n": b"414",
        b"GET /" + get + b"X: " + b"x" * 9000 + b"\r\n\r\n": b"431",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": b"400",
        b"TRACE /" + get + b"\r\n": b"405",
        b"GET /notes" + get + b"SCRIPT_NAME: /notes\r\n\r\n": b"302",
    }
    assert {request: raw(live, request).split()[1] for request in expected} == expected


@pytest.mark.smoke
def test_tls_responses_have_hsts_and_a_host_bound_secure_cookie(live: Service) -> None:
    answer = live.browser().get("/sign-in")
    assert "max-age=63072000" in answer.headers["Strict-Transport-Security"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-semicircle=")
    assert "Secure" in cookie


@pytest.mark.smoke
def test_a_request_is_logged_as_one_line(live: Service) -> None:
    marker = "0123456789-marker-0123456789"
    request = f"GET /healthz?q=secret%0Aline HTTP/1.1\r\nHost: a\r\nX-Request-ID: {marker}\r\n\r\n"
    assert raw(live, request.encode()).split()[1] == b"200"
    [line] = live.logged(marker)
    assert re.fullmatch(
        r'at=request method=GET path="/healthz" route="/healthz" status=200 account=- bytes=\d+ ms=\d+'
        rf" sql_count=0 sql_ms=0.0 bucket_ms=0.0 request_id={marker}",
        line,
    )


def test_importing_the_application_needs_no_environment() -> None:
    command = [sys.executable, "-W", "error", "-c", "import app"]
    imported = subprocess.run(command, cwd=ROOT, env={}, capture_output=True)
    assert imported.returncode == 0, imported.stderr


CLIENTS = 20  # twice as many as threads
HEAD = b"POST /sign-in HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nContent-Type: text/plain\r\n"
GET = b"GET /sign-in HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"


@contextmanager
def connected(live: Service, first: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as client:
        client.sendall(first)
        yield client


def read_response(client: socket.socket) -> tuple[bytes, bytes]:
    """Return status and headers, and the body by its Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    [length] = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    while len(body) < int(length):
        body += client.recv(65536)
    return head, body


@pytest.mark.smoke
@pytest.mark.parametrize(
    "first",
    [GET + b"X: y", HEAD + b"Content-Length: 5000\r\n\r\ncont", b"", HEAD + b"Content-Length: 5000\r\n\r\n"],
    ids=["headers", "body", "silence", "silence after headers"],
)
def test_other_readers_are_answered_while_slow_clients_hold_connections(live: Service, first: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(connected(live, first))
        for _ in range(CLIENTS):
            assert [fetch(live.url + path, timeout=5).status for path in ("/healthz", "/sign-in")] == [200, 200]


def test_other_readers_are_answered_while_clients_do_not_read_their_responses(live: Service) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", live.port))
            client.sendall((GET + b"\r\n") * 100)
        assert live.browser().get("/sign-in").status == 200


@pytest.mark.parametrize("size", [100_000, 20 * 1024 * 1024])
def test_a_client_that_sends_too_much_reads_the_413_to_its_end(live: Service, size: int) -> None:
    with connected(live, HEAD + b"Content-Length: %d\r\n\r\n" % size) as client:
        client.sendall(b"x" * size)
        head, body = read_response(client)
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in head
        assert b"</html>" in body
        assert client.recv(1) == b""  # closed in order; a reset would raise


def test_a_client_that_asks_before_sending_too_much_is_spared_the_upload(live: Service) -> None:
    with connected(live, HEAD + b"Expect: 100-continue\r\nContent-Length: 7340032\r\n\r\n") as client:
        assert read_response(client)[0].startswith(b"HTTP/1.1 413 ")


MIB = 1024 * 1024
NOTES = b"[%b]" % b",".join([b'{"content":"%b"}' % (b"x" * 1000)] * 100)


def test_a_photo_and_a_batch_of_the_api_may_be_long_and_a_stranger_is_answered_by_the_head(live: Service) -> None:
    """A token that another server made has the right form and checksum."""
    photo = io.BytesIO()
    Image.effect_noise((600, 600), 100).save(photo, "PNG")
    browser = live.browser()
    browser.sign_up("long", PASSWORD)
    page = browser.post("/mypage/tokens", name="backup", scopes="write", expiry="30").data.decode()
    [token] = re.findall("sc_[0-9A-Za-z]{49}", page)
    program = Browser(live.url, Authorization=f"Bearer {token}", **{"Content-Type": "image/png"})
    assert min(len(photo.getvalue()), len(NOTES)) > TEXT_BODY_LIMIT
    assert program.request("PUT", "/api/v1/profile/photo", body=photo.getvalue()).status == 204
    program.headers["Content-Type"] = "application/json"
    assert program.request("POST", "/api/v1/notes/batch", body=NOTES).status == 201
    head = f"POST /api/v1/notes/batch HTTP/1.1\r\nHost: a\r\nContent-Length: {len(NOTES)}\r\n"
    for other in (new_token("another key"), "sc_", ""):
        assert statuses(live, f"{head}Authorization: Bearer {other}\r\n\r\n".encode()) == [b"401"]


READERS = 12  # more than threads
# Seconds; the service promises five. A statement that nobody gives up takes 21.
WITHIN = 15


def test_with_a_frozen_database_answers_are_503_and_the_process_is_alive(
    migrated_environment: Environment, proxy: SilentProxy, tmp_path: Path
) -> None:
    with running_web(proxy.through(migrated_environment), tmp_path) as site:
        browsers = [site.browser() for _ in range(READERS)]
        with ThreadPoolExecutor(READERS) as threads, proxy.stopped():
            sent = [threads.submit(browser.post, "/sign-in", email="a@b.kr", password=PASSWORD) for browser in browsers]
            assert fetch(f"{site.url}/healthz", timeout=WITHIN).status == 200
            for answer in (each.result(timeout=WITHIN) for each in sent):
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) > 0
        wait_until(lambda: site.browser().sign_up("thawed", PASSWORD).status == 302, "the service is well again")
