"""What a reader is answered when a statement fails: 503 if the database cannot do it now, else 500, by SQLSTATE."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.web.errors import READ_ONLY_SENTENCE, SENTENCES
from tests.database import row_counts
from tests.visitor import Visitor

UNAVAILABLE, READ_ONLY, OUR_MISTAKE = SENTENCES[503][0], READ_ONLY_SENTENCE[0], SENTENCES[500][0]

ANSWERS = {
    "08006": (503, UNAVAILABLE),  # connection failure
    "08P01": (503, UNAVAILABLE),  # protocol violation: how PgBouncer says that it waited too long
    "0A000": (500, OUR_MISTAKE),  # feature not supported; of a standby, see test_standby.py
    "22001": (500, OUR_MISTAKE),  # string too long
    "25000": (500, OUR_MISTAKE),  # invalid transaction state
    "25006": (503, READ_ONLY),
    "25P02": (500, OUR_MISTAKE),  # in failed transaction: we went on after an error
    "25P03": (503, UNAVAILABLE),  # idle in transaction timeout
    "25P04": (503, UNAVAILABLE),  # transaction timeout
    "26000": (500, OUR_MISTAKE),  # invalid statement name
    "40001": (503, UNAVAILABLE),  # serialization failure; on a standby: conflict with recovery
    "40P01": (503, UNAVAILABLE),  # deadlock
    "42501": (500, OUR_MISTAKE),  # insufficient privilege
    "42P01": (500, OUR_MISTAKE),  # undefined table
    "53000": (503, UNAVAILABLE),  # insufficient resources
    "53100": (503, READ_ONLY),  # disk full
    "53200": (503, UNAVAILABLE),  # out of memory
    "53300": (503, UNAVAILABLE),  # too many connections
    "53400": (503, UNAVAILABLE),  # configuration limit exceeded
    "54000": (500, OUR_MISTAKE),  # program limit exceeded, as by a value too long for its index
    "54001": (500, OUR_MISTAKE),  # statement too complex
    "55000": (500, OUR_MISTAKE),  # object not in prerequisite state
    "55006": (503, UNAVAILABLE),  # object in use
    "55P03": (503, UNAVAILABLE),  # lock not available
    "57014": (503, UNAVAILABLE),  # statement timeout
    "57P01": (503, UNAVAILABLE),  # admin shutdown
    "57P02": (503, UNAVAILABLE),  # crash shutdown
    "57P03": (503, UNAVAILABLE),  # cannot connect now
    "57P04": (503, UNAVAILABLE),  # database dropped
    "57P05": (503, UNAVAILABLE),  # idle session timeout
    "58000": (503, UNAVAILABLE),  # system error
    "58030": (503, UNAVAILABLE),  # I/O error
    "P0001": (500, OUR_MISTAKE),  # raised by a function
    "XX000": (500, OUR_MISTAKE),  # internal error
    "XX001": (500, OUR_MISTAKE),  # data corrupted: trying again fixes nothing, a person must look
}


def refuse(statement: str, sqlstate: str) -> None:
    """From now on the database refuses a statement, such as "INSERT ON todos", with this SQLSTATE."""
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
