"""What a reader is answered when a statement fails: 503 if the database cannot do it now, else 500, by SQLSTATE."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.web.errors import READ_ONLY_SENTENCE, SENTENCES
from tests.database import row_counts
from tests.visitor import Visitor

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
    # 0A000: of a standby, see test_standby.py. 25P02, 26000: we went on after an error. 54000: a value too long for its
    # index. XX001: data corrupted, so a person must look.
    (500, OUR_MISTAKE): "0A000 22001 25000 25P02 26000 42501 42P01 54000 54001 55000 P0001 XX000 XX001",
}
ANSWERS = {state: answer for answer, states in STATES.items() for state in states.split()}


def refuse(statement: str, sqlstate: str) -> None:
    """Let the database refuse a statement, such as "INSERT ON todos", with this SQLSTATE."""
    db.session.execute(
        text(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$;"
            f" CREATE OR REPLACE TRIGGER refuse BEFORE {statement} EXECUTE FUNCTION refuse()"
        )
    )
    db.session.commit()


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
