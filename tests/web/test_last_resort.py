"""The last resort: when the error handler itself fails, or the teardown, the answer is still a page of ours."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from config import TestingConfig
from tests.databases import Environment

REQUEST_ID = "01234567-89ab-cdef-0123-456789abcdef"


class Broken(Exception):
    pass


def breaks(*_: object) -> Any:
    raise Broken


def in_the_error_handler(app: Flask) -> None:
    app.register_error_handler(404, breaks)
    app.register_error_handler(500, breaks)


def in_the_teardown(app: Flask) -> None:
    app.teardown_request(breaks)


def in_a_header(app: Flask) -> None:
    """Headers are set after the error handler too."""
    app.register_error_handler(500, breaks)
    app.after_request(breaks)


@pytest.fixture
def broken(request: pytest.FixtureRequest, migrated_environment: Environment) -> FlaskClient:
    app = create_app(TestingConfig(migrated_environment))
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production
    failure: Callable[[Flask], None] = request.param
    failure(app)
    return app.test_client()


@pytest.mark.parametrize("broken", [in_the_error_handler, in_the_teardown, in_a_header], indirect=True)
def test_the_answer_is_a_static_page_in_both_languages_with_the_request_id(
    broken: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = broken.get("/nothing", headers={"X-Request-ID": REQUEST_ID})
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "저희 쪽에 문제가 생겼어요" in answer.text
    assert REQUEST_ID in answer.text
    assert answer.headers["X-Request-ID"] == REQUEST_ID
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    [record] = [record for record in caplog.records if record.name == "app.web.last_resort"]
    assert record.exc_info is not None
    assert record.exc_info[0] is Broken
    assert record.request_id == REQUEST_ID  # type: ignore[attr-defined]
    answer = broken.head("/nothing")
    assert (answer.status_code, answer.data) == (500, b"")
    assert "<script>" not in broken.get("/nothing", headers={"X-Request-ID": "<script>alert(1)</script>"}).text


@pytest.mark.parametrize("broken", [in_the_teardown], indirect=True)
def test_a_client_of_json_gets_problem_json(broken: FlaskClient) -> None:
    answer = broken.get("/nothing", headers={"Accept": "application/json", "X-Request-ID": REQUEST_ID})
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 500
    assert REQUEST_ID in answer.text
