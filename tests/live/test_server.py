"""gunicorn, started by the Procfile's command: signals, limits, malformed HTTP requests and log lines."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.databases import Environment, migrated_database
from tests.live.conftest import PASSWORD, ROOT, Service, connect, running_web
from tests.live.test_slow_clients import GET, HEAD, connected, read_response
from tests.visitor import token_of
from tests.waiting import wait_until

KEPT_ALIVE = 8  # connections


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_request_in_flight_and_exits_0(
    server_environment: Environment, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C and `docker stop` reach all processes or the first alone, and an impatient second one changes nothing.

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
            os.killpg(service.process.pid, number)
            wait_until(lambda: is_refused(service), "no new connection is accepted")
            service.process.send_signal(number)
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


def test_a_request_behind_a_malformed_body_is_never_answered(live: Service) -> None:
    """Request smuggling. The sign-in page leaves a body without a form's content type unread."""
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    for head in (GET, HEAD):
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        assert len(statuses(live, chunked + b"3\r\nabc\r\n0\r\n\r\n" + smuggled)) == 2
        for framing in (b"0x3\r\nabc\r\n0\r\n\r\n", b"3\r\nabcXX0\r\n\r\n", b"0\r\nGET / HTTP/1.1\r\n\r\n"):
            assert statuses(live, chunked + framing + smuggled) == [b"400"], framing


@pytest.mark.parametrize(
    ("path", "size", "content_type", "chunked"),
    [
        ("/sign-in", 70_000, "application/x-www-form-urlencoded", True),
        ("/mypage/photo", 7_500_000, "multipart/form-data; boundary=b", False),
    ],
)
def test_a_body_over_the_limit_of_its_page_is_413(
    live: Service, path: str, size: int, content_type: str, chunked: bool
) -> None:
    browser = live.browser()
    assert browser.sign_up(f"sends-{size}", PASSWORD).status == 302
    browser.headers["Content-Type"] = content_type
    body = b"--b\r\nContent-Disposition: form-data; name=csrf_token\r\n\r\n" + b"x" * size
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    answer = browser.request("POST", path, body=pieces if chunked else body, chunked=chunked)
    assert answer.status == 413
    assert "Send less at once" in answer.data.decode()


def test_plain_http_through_the_router_is_redirected_to_https(live: Service) -> None:
    request = b"GET /sign-in?next=/mypage HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: http\r\n\r\n"
    assert raw(live, request).split()[1] == b"308"


@pytest.mark.smoke
def test_tls_responses_have_hsts_and_a_host_bound_secure_cookie(live: Service) -> None:
    answer = live.browser().get("/sign-in")
    assert "max-age=63072000" in answer.headers["Strict-Transport-Security"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-semicircle=")
    assert "Secure" in cookie


SPOOFED = [
    *(("X-Forwarded-For", "6.6.6.6"), ("X_Forwarded_For", "6.6.6.6")),
    ("X-Forwarded-For", "203.0.113.7"),  # as HAProxy adds its own
    *(("X_Forwarded_For", "6.6.6.6"), ("X-Forwarded-Ssl", "off"), ("X-Forwarded-Protocol", "http")),
]


def test_the_client_address_is_that_of_the_last_line(live: Service) -> None:
    browser = live.browser()
    token = token_of(browser.get("/sign-in").data.decode())
    body = urlencode({"csrf_token": token, "email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD})
    own = {name: value for name, value in browser.headers.items() if name != "X-Forwarded-For"}
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    about = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    with closing(http.client.HTTPConnection(live.url.removeprefix("http://"), timeout=10)) as connection:
        connection.putrequest("POST", "/sign-in")
        for name, value in [*SPOOFED, *own.items(), *about.items(), ("X-Request-ID", marker := uuid.uuid4().hex)]:
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        assert connection.getresponse().status == 422
    assert any(" address=203.0.113.7" in line for line in live.logged(marker))


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
    imported = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import app"], cwd=ROOT, env={}, capture_output=True
    )
    assert imported.returncode == 0, imported.stderr
