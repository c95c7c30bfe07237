"""An HTTP client that acts as a browser behind the platform's router: it keeps cookies and sends CSRF tokens."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

import urllib3

TIMEOUT = 30.0  # seconds; a platform's router waits as long
PASSWORD = "seventeen blue kettles"  # noqa: S105 - of accounts that live as long as a command
TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


@dataclass(frozen=True)
class Answer:
    status: int  # 0 when no answer came
    seconds: float  # until the last byte
    headers: Mapping[str, str]
    body: bytes = b""
    is_cut_off: bool = False  # whether its body did not come to an end

    @property
    def is_ours(self) -> bool:
        """Tell an answer of the application from gunicorn's own error page, which has none of our headers."""
        return "X-Request-ID" in self.headers

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def token_in(page: str) -> str:
    """Return the CSRF token of a page. Raises: LookupError."""
    found = TOKEN.search(page)
    if found is None:
        raise LookupError("the page has no CSRF token")
    return found[1]


class Client:
    """Act as a browser at an address, as the router tells it; None takes one that nobody else has."""

    def __init__(self, port: int, address: str | None = None, timeout: float = TIMEOUT) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.cookies: dict[str, str] = {}
        random = ".".join(str(secrets.randbelow(254) + 1) for _ in range(3))
        self.headers = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": address or f"10.{random}",
            "Referer": f"https://127.0.0.1:{port}/",  # over TLS the CSRF check requires one of the same site
            "Accept-Language": "en",
        }
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(timeout), maxsize=20)
        self._token: str | None = None

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, **arguments: Any) -> Answer:
        """Send a request as urllib3 takes it, and follow no redirect. `headers` replace the client's own."""
        sent = {**self.headers, **(headers or {})}
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        began = time.perf_counter()
        ask = {"redirect": False, "preload_content": False, "headers": sent, **arguments}
        try:
            answer = self._pool.request(method, self.url + path, **ask)
        except urllib3.exceptions.HTTPError:
            return Answer(0, time.perf_counter() - began, {})
        for line in answer.headers.getlist("Set-Cookie"):
            self._keep(line)
        try:
            body = answer.read()
        except urllib3.exceptions.HTTPError:
            return Answer(answer.status, time.perf_counter() - began, answer.headers, is_cut_off=True)
        return Answer(answer.status, time.perf_counter() - began, answer.headers, body)

    def get(self, path: str, **arguments: Any) -> Answer:
        return self.request("GET", path, **arguments)

    def submit(self, path: str, /, **fields: Any) -> Answer:
        """Post a form with the CSRF token of this browser, which is fetched once."""
        return self.request("POST", path, fields={"csrf_token": self.token(), **fields})

    def token(self) -> str:
        if self._token is None:
            self._token = token_in(self.get("/sign-in").text)
        return self._token

    def copy(self) -> "Client":
        """Return another window of the same browser, or a thief of its cookies: it has the same cookies and token."""
        port = int(self.url.rpartition(":")[2])
        other = Client(port, self.headers["X-Forwarded-For"])
        other.cookies, other._token = dict(self.cookies), self._token
        return other

    def forget_token(self) -> None:
        self._token = None

    def _keep(self, line: str) -> None:
        try:
            parsed = SimpleCookie(line)
        except CookieError:
            return
        for name, morsel in parsed.items():
            if morsel["max-age"] == "0" or morsel.value == "":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def sign_in(port: int, email: str, timeout: float = TIMEOUT) -> Client:
    """Return a browser that has signed in with PASSWORD. Raises: RuntimeError."""
    client = Client(port, timeout=timeout)
    answer = client.submit("/sign-in", email=email, password=PASSWORD)
    if answer.status != 302:
        raise RuntimeError(f"sign-in answered {answer.status}")
    client.forget_token()  # it belonged to the stranger
    return client
