"""An error is a page or problem+json without a traceback: by SQLSTATE, without room on the disk, as the last resort."""

import errno
import gc
import logging
import os
import re
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import current_user
from sqlalchemy import text
from werkzeug.test import TestResponse

from app import create_app
from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.web.errors import READ_ONLY_SENTENCE, SENTENCES, settle_reader
from config import TestingConfig
from tests.database import commit, right_before, row_counts, same_row_counts
from tests.databases import Environment
from tests.visitor import Visitor

WRONG_IDS = ["0", "9223372036854775808", "1" * 400, "-1", "abc", "1.5", "١"]


def test_a_path_with_two_slashes_or_a_wrong_id_is_404_and_redirects_nowhere(signed_in: Visitor) -> None:
    slashes = ("/notes//1", "/notes/1%2F/edit", "/api/v1//notes", "/api/v1/notes/1%2F/pin")
    for path in (*slashes, *(f"/notes/{note_id}" for note_id in WRONG_IDS)):
        answer = signed_in.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None), path


def test_a_wrong_method_is_405_with_the_allow_header(client: Visitor) -> None:
    answer = client.delete("/sign-in")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("accept", ["application/json", "application/*", "text/html;q=0.5, Application/JSON"])
def test_a_json_request_gets_problem_json(client: Visitor, accept: str) -> None:
    answer = client.get("/nothing", headers={"Accept": accept})
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 404


NAVIGATION = '<nav class="tabs"'
HALF_SUN = re.compile(r'<main.*<svg class="half".*</main>', re.DOTALL)


def test_an_error_page_has_the_notebooks_navigation_for_who_is_signed_in(signed_in: Visitor, client: Visitor) -> None:
    for path, status in (("/notes/9000000000", 404), ("/notes?before=nothing", 400), ("/sign-out", 405)):
        answer = signed_in.get(path)
        assert (answer.status_code, NAVIGATION in answer.text) == (status, True), path
        assert HALF_SUN.search(answer.text), path
    signed_in.submit("/sign-out")
    assert NAVIGATION not in signed_in.get("/nothing").text
    unknown = client.get("/nothing")
    assert (unknown.status_code, "Page not found" in unknown.text, NAVIGATION in unknown.text) == (404, True, False)
    client.set_cookie("semicircle", "eyJ0b2tlbiI6InRva2VuIn0.aaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaa")
    assert NAVIGATION not in client.get("/nothing").text, "the cookie is forged"


def test_an_error_page_asks_the_database_for_nothing(signed_in: Visitor, statements: list[str]) -> None:
    page = signed_in.get("/nothing").text
    assert NAVIGATION in page
    assert "alice" not in page, "the cookie does not say whose session it is"
    assert statements == []
    assert "alice" in signed_in.get("/notes?before=nothing").text
    assert len(statements) == 1, "the session, before the view has refused"


def test_behind_an_error_nobody_looks_any_more_who_reads(app: Flask, signed_in: Visitor, statements: list[str]) -> None:
    cookie = f"semicircle={signed_in.session_cookie()}"
    with app.test_request_context("/nothing", headers={"Cookie": cookie}):
        settle_reader()
        assert not current_user.is_authenticated
    assert statements == []


def test_a_message_waits_for_the_next_page(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "title", "")
    signed_in.submit(f"/notes/{note_id}/delete")
    assert "Moved" not in signed_in.get("/nothing").text
    assert "Moved" in signed_in.get("/notes").text


def test_an_unexpected_error_is_500_with_the_request_id_and_no_traceback(
    app: Flask, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)  # as in production
    commit(text("DROP TABLE notes CASCADE"))
    answer = signed_in.get("/notes")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    assert "psycopg2" not in answer.text
    assert "UndefinedTable" in caplog.text


UNAVAILABLE, READ_ONLY, OUR_MISTAKE = SENTENCES[503][0], READ_ONLY_SENTENCE[0], SENTENCES[500][0]

# By PostgreSQL's appendix A. The names of those that need a reason:
STATES = {
    # 08P01: how PgBouncer says that it waited too long. 40001: on a standby, a conflict with recovery.
    (
        503,
        UNAVAILABLE,
    ): "08006 08P01 25P03 25P04 40001 40P01 53000 53200 53300 53400 55006 55P03 57014 57P01 57P02 57P03"
    " 57P04 57P05 58000 58030",
    (503, READ_ONLY): "25006 53100",  # the second: disk full
    # 0A000: of a standby, see test_database_faults.py. 25P02, 26000: we went on after an error. 54000: a value too long
    # for its index. XX001: data corrupted, so a person must look.
    (500, OUR_MISTAKE): "0A000 22001 25000 25P02 26000 42501 42P01 54000 54001 55000 P0001 XX000 XX001",
}
ANSWERS = {state: answer for answer, states in STATES.items() for state in states.split()}


def refuse(statement: str, sqlstate: str) -> None:
    """Let the database refuse a statement, such as "INSERT ON todos", with this SQLSTATE."""
    commit(
        text(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$;"
            f" CREATE OR REPLACE TRIGGER refuse BEFORE {statement} EXECUTE FUNCTION refuse()"
        )
    )


def test_the_answer_to_a_refused_statement_is_decided_by_its_sqlstate(
    app: Flask, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)  # as in production
    token = signed_in.csrf_token()
    before = row_counts()
    for code, (status, title) in ANSWERS.items():
        refuse("INSERT ON todos", code)
        caplog.clear()
        answer = signed_in.post("/todos", data={"csrf_token": token, "description": "d"})
        assert (answer.status_code, answer.headers.get("Retry-After")) == (status, "5" if status == 503 else None), code
        assert str(title) in answer.text, code
        [logged] = [record for record in caplog.records if record.levelname == "ERROR"]
        assert (logged.exc_info is not None) == (status == 500), code  # a mistake of ours has its traceback in the log
        assert status == 500 or f"sqlstate={code}" in logged.getMessage()
    assert row_counts() == before


@pytest.mark.parametrize("code", ["25006", "53100"])
def test_a_page_is_shown_though_the_visit_cannot_be_noted(app: Flask, signed_in: Visitor, code: str) -> None:
    db.session.execute(text("UPDATE user_sessions SET last_seen_at = now() - interval '2 hours'"))
    refuse("UPDATE ON user_sessions", code)
    assert signed_in.get("/notes").status_code == 200
    assert db.session.scalar(text("SELECT now() - last_seen_at >= '2 hours' FROM user_sessions"))


def test_a_visit_that_cannot_be_noted_for_another_reason_is_an_error(app: Flask, signed_in: Visitor) -> None:
    db.session.execute(text("UPDATE user_sessions SET last_seen_at = now() - interval '2 hours'"))
    refuse("UPDATE ON user_sessions", "40P01")
    assert signed_in.get("/notes").status_code == 503


def test_a_database_that_goes_away_while_it_is_asked_whether_it_is_a_standby_is_503(
    signed_in: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    token, before = signed_in.csrf_token(), row_counts()
    refuse("INSERT ON todos", "0A000")  # which a standby says, among others
    goes = "DO $$ BEGIN RAISE EXCEPTION 'going' USING ERRCODE = '57P01'; END $$"
    with right_before("pg_is_in_recovery", goes):
        answer = signed_in.post("/todos", data={"csrf_token": token, "description": "d"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert str(UNAVAILABLE) in answer.text
    assert "sqlstate=57P01" in caplog.text
    db.session.rollback()
    assert row_counts() == before


LONG = 600 * 1024  # bytes; longer than what Werkzeug keeps in memory
ROOM = 64 * 1024  # bytes of a file


@contextmanager
def folder(name: str) -> Iterator[None]:
    """Let Python have found this folder of temporary files. It may go away later, or be closed."""
    before, tempfile.tempdir = tempfile.gettempdir(), name
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def no_folder() -> Iterator[None]:
    """Let Python find none yet, wherever it looks."""
    with folder(""), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
        yield


@contextmanager
def limited(limit: int, most: int) -> Iterator[None]:
    """Let a limit of the process stand in for that of the disk: a write beyond it fails, for root as well."""
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(limit, (soft, hard))


def next_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


FAILURES: dict[str, tuple[Callable[[], AbstractContextManager[None]], int]] = {
    "the folder is gone": (lambda: folder("/nowhere"), errno.ENOENT),
    "no folder is found": (no_folder, errno.ENOENT),
    "the disk is full": (lambda: limited(resource.RLIMIT_FSIZE, ROOM), errno.EFBIG),
    "no descriptor is left": (lambda: limited(resource.RLIMIT_NOFILE, next_descriptor()), errno.EMFILE),
}


def upload(field: str, token: str) -> bytes:
    """Write the body of a form. The test client would write a long one into a temporary file, too."""
    head = f'Content-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n--b\r\n'
    file = f'Content-Disposition: form-data; name="{field}"; filename="a"\r\nContent-Type: image/png\r\n\r\n'
    return f"--b\r\n{head}{file}".encode() + bytes(LONG) + b"\r\n--b--\r\n"


@pytest.mark.filterwarnings("ignore:[Uu]nclosed file:ResourceWarning")
@pytest.mark.parametrize("failure", FAILURES)
def test_an_upload_and_an_export_without_room_are_503_and_change_nothing(
    signed_in: Visitor, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    body = upload("archive", signed_in.csrf_token())
    fails, number = FAILURES[failure]
    with same_row_counts():
        signed_in.get("/nowhere")  # so that the error page is compiled
        with fails():
            answer = signed_in.post("/mypage/import", data=body, content_type="multipart/form-data; boundary=b")
        gc.collect()  # Werkzeug leaves its file to that
        assert_unavailable(answer, caplog, number)
        if failure != "the disk is full":  # without a file, before the first byte
            caplog.clear()
            with fails():
                answer = signed_in.get("/mypage/export")
            assert_unavailable(answer, caplog, number)


def assert_unavailable(answer: TestResponse, caplog: pytest.LogCaptureFixture, number: int) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("unavailable: ")
    assert f"[Errno {number}]" in line


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
def broken(request: pytest.FixtureRequest, server_environment: Environment) -> FlaskClient:
    app = create_app(TestingConfig(server_environment))
    app.extensions["boot_gate"].is_open = True  # so nobody asks the database
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
    [record] = [record for record in caplog.records if record.name == "app.web.errors"]
    assert record.exc_info is not None
    assert record.exc_info[0] is Broken
    assert record.request_id == REQUEST_ID  # type: ignore[attr-defined]
    answer = broken.head("/nothing")
    assert (answer.status_code, answer.data) == (500, b"")
    answer = broken.get("/nothing", headers={"Accept": "application/json", "X-Request-ID": REQUEST_ID})
    assert answer.content_type == "application/problem+json"
    assert (answer.get_json(force=True)["status"], REQUEST_ID in answer.text) == (500, True)
    assert "<script>" not in broken.get("/nothing", headers={"X-Request-ID": "<script>alert(1)</script>"}).text
