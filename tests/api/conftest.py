"""A program that uses the API with a token, such as Alice's; each answer that it gets has to be a documented one."""

import json
from functools import partialmethod
from typing import Any

import pytest
from flask import Flask

from app.accounts import access_tokens
from app.accounts.models import User
from app.api.document import OPERATIONS
from app.api.openapi import headers_of
from app.limits import rate_limits
from tests.conftest import CLIENT

# Headers of answers of the whole service, besides those of app.extensions["headers"].
EVERYWHERE = {"Content-Type", "Content-Length", "Vary", "X-Robots-Tag", "X-Reader"}
# Headers that depend on more than the status: on further pages, an unfinished count, the body's type, a valid token.
NOT_ALWAYS = {"Link", "Retry-After", "Accept-Encoding", "RateLimit", "RateLimit-Policy"}


class Program:
    def __init__(self, app: Flask, token: str | None, language: str = "en") -> None:
        self.app, self.token, self.language = app, token, language
        self.client = app.test_client()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Args: headers: If_Match="…" for If-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        sent.setdefault("Accept-Language", self.language)
        given: dict[str, Any] = {} if body is None else {"data": body} if isinstance(body, bytes) else {"json": body}
        # An export that is not read to its end keeps its context, with `g`, and the seat of exports.
        answer = self.client.open(f"/api/v1{path}", method=method, headers=sent, buffered=True, **given)
        refuse_undocumented(self.app, method, f"/api/v1{path.partition('?')[0]}", answer)
        return answer

    get = partialmethod(ask, "GET")
    post = partialmethod(ask, "POST")
    patch = partialmethod(ask, "PATCH")
    put = partialmethod(ask, "PUT")
    delete = partialmethod(ask, "DELETE")


def program_of(app: Flask, user: User, *scopes: str) -> Program:
    with app.test_request_context():
        return Program(app, access_tokens.make_token(user.id, "test", scopes or ("read", "write"), 30, CLIENT))


def refuse_undocumented(app: Flask, method: str, path: str, answer: Any) -> None:
    with app.test_request_context(path, method=method) as context:
        endpoint = context.request.endpoint
    if endpoint is None or not endpoint.startswith("api."):
        assert answer.mimetype == "application/problem+json", path
        return
    if endpoint not in OPERATIONS:
        return  # the document itself
    answers = OPERATIONS[endpoint].answers
    assert answer.status_code in answers, (endpoint, answer.status)
    assert answer.headers["Cache-Control"] == "no-store"
    told, sent = {*headers_of(OPERATIONS[endpoint], str(answer.status_code))}, {*answer.headers.keys()}
    assert told - NOT_ALWAYS <= sent <= told | EVERYWHERE | app.extensions["headers"].keys(), (endpoint, answer.status)
    model = answers[answer.status_code]
    if model is None:
        return
    expected = "application/problem+json" if answer.status_code >= 400 else "application/json"
    assert answer.mimetype == expected, (endpoint, answer.status)
    model.model_validate_json(answer.data)


def pointers(answer: Any) -> list[str]:
    return [error.get("pointer") or error["parameter"] for error in json.loads(answer.data)["errors"]]


@pytest.fixture
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WRITES", "API_READS"):
        monkeypatch.setattr(rate_limits, name, getattr(rate_limits, name)._replace(capacity=10_000))


@pytest.fixture
def program(app: Flask, alice: User) -> Program:
    return program_of(app, alice)
