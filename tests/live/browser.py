"""A browser over real HTTP: keeps cookies, fetches the CSRF token of a page before it posts, follows no redirect."""

from http.cookies import SimpleCookie

import urllib3

from tests.visitor import token_of

File = tuple[str, bytes, str]  # name, content, content type


class Browser:
    """
    Args:
        url: scheme, host and port of the service.
        headers: what the platform's router adds, besides telling that the request came over TLS.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        # Over TLS a form is taken only from a page of the site, which is what a browser's Referer says.
        self.headers = {"X-Forwarded-Proto": "https", "Referer": url.replace("http:", "https:") + "/", **headers}
        self.cookies: dict[str, str] = {}
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))

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
