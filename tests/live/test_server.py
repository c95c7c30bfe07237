"""gunicorn, started by the Procfile's command: signals, limits, malformed HTTP requests and log lines."""

import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import Environment, migrated_database
from tests.live.conftest import PASSWORD, ROOT, Service, connect, running_web
from tests.live.test_slow_clients import GET, connected, read_response
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


def test_the_log_contains_no_email_no_password_and_no_secret_key(live: Service) -> None:
    browser = live.browser()
    browser.sign_up("logged", PASSWORD)
    *_, line = live.logged('path="/sign-up" route="/sign-up" status=302')
    assert re.search(r" account=[1-9]\d* .* sql_count=[1-9]\d* sql_ms=\d+\.\d ", line)
    log = live.log.read_text()
    assert "logged@example.com" not in log
    assert PASSWORD not in log
    assert live.environment["SECRET_KEY"] not in log


def test_importing_the_application_needs_no_environment() -> None:
    command = [sys.executable, "-W", "error", "-c", "import app"]
    imported = subprocess.run(command, cwd=ROOT, env={}, capture_output=True)
    assert imported.returncode == 0, imported.stderr
