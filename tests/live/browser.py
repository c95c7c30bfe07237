"""An HTTP client that acts as a browser: it keeps cookies, sends CSRF tokens, and follows no redirects."""

import secrets
from http.cookies import SimpleCookie
from typing import ClassVar
from weakref import WeakSet

import urllib3

from tests.visitor import token_of

File = tuple[str, bytes, str]  # name, content, content type


class Browser:
    """Act as a client of one service behind the platform's TLS router.

    Args:
        url: scheme, host and port of the service.
        headers: additional headers that the platform's router sets.
    """

    _opened: ClassVar[WeakSet["Browser"]] = WeakSet()

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        # Over TLS, a form has to say that it comes from a page of the site.
        # Each browser has an address of its own, since sign-ups are limited by address.
        self.headers = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}",
            "Referer": url.replace("http:", "https:") + "/",
            **headers,
        }
        self.cookies: dict[str, str] = {}
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))
        self._opened.add(self)

    @classmethod
    def hang_up(cls, url: str) -> None:
        """Close the connections to a service for good: when it stops, it would wait for those that are kept alive."""
        for browser in cls._opened:
            if browser.url == url:
                browser._pool.connection_from_url(url).close()

    def request(self, method: str, path: str, **arguments: object) -> urllib3.BaseHTTPResponse:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**self.headers, "Cookie": cookie} if cookie else self.headers
        answer = self._pool.request(method, self.url + path, redirect=False, headers=headers, **arguments)  # type: ignore[arg-type]
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.request("GET", path)

    def post(self, path: str, /, **fields: str | File) -> urllib3.BaseHTTPResponse:
        token = token_of(self.get("/sign-in").data.decode())
        return self.request("POST", path, fields={"csrf_token": token, **fields})

    def sign_up(self, name: str, password: str) -> urllib3.BaseHTTPResponse:
        return self.post("/sign-up", email=f"{name}@example.com", nickname=name, password=password)
