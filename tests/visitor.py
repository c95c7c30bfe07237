"""A person with a browser, inside the process: a test client that fetches the CSRF token a form carries."""

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


class Visitor(FlaskClient):
    def submit(self, path: str, /, **fields: Any) -> TestResponse:
        """Post a form with the token of a page, as a browser does."""
        return self.post(path, data={"csrf_token": self.csrf_token(), **fields})

    def csrf_token(self) -> str:
        return token_of(self.get("/sign-in").text)

    def sign_in(self, email: str, password: str, **fields: str) -> TestResponse:
        return self.submit("/sign-in", email=email, password=password, **fields)


def token_of(page: str) -> str:
    match = TOKEN.search(page)
    assert match, "the page has no form"
    return match[1]
