"""A person with a browser, inside the process: a test client that fetches the CSRF token a form carries."""

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.web.headers import SessionCookies

TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


class Visitor(FlaskClient):
    _known: tuple[str | None, str] = None, ""  # the secret of the session, and a token that it signs

    def submit(self, path: str, /, **fields: Any) -> TestResponse:
        """Post a form with the token of a page, as a browser does."""
        return self.post(path, data={"csrf_token": self.csrf_token(), **fields})

    def csrf_token(self) -> str:
        """Return the token of a form. It holds as long as the session has its secret, so a page is asked for once."""
        secret, token = self._known
        if secret is None or secret != self._secret():
            token = token_of(self.get("/sign-in").text)
            self._known = self._secret(), token
        return token

    def _secret(self) -> str | None:
        cookie = self.get_cookie(self.application.config["SESSION_COOKIE_NAME"])
        serializer = SessionCookies(self.application).get_signing_serializer(self.application)
        return serializer.loads(cookie.value).get("csrf_token") if cookie and serializer else None

    def session_cookie(self) -> str:
        cookie = self.get_cookie("semicircle")
        assert cookie is not None
        return cookie.value

    def sign_in(self, email: str, password: str, **fields: str) -> TestResponse:
        return self.submit("/sign-in", email=email, password=password, **fields)


def token_of(page: str) -> str:
    match = TOKEN.search(page)
    assert match, "the page has no form"
    return match[1]
