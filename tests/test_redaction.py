"""Redaction: no secret, no address and no row in what is logged, stored or reported."""

from psycopg2.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError

from app.redaction import LONGEST_CAUSE, cause, redact

ROW = "duplicate key\nDETAIL:  Failing row contains (1, hidden\n\nhidden, a@b.c)."
EXCERPT = "column \"x\" does not exist\nLINE 1: SELECT x FROM users WHERE email = 'hidden'\n               ^\n"


class OfTheDriver(Exception):
    """Stand for psycopg2's, which cannot be made with diagnostics."""

    diag = None


SECRETS = [
    "user hidden@example.com is gone",
    "<hidden@예시.한국>",
    "postgres://user:hidden@db/n does not answer",
    "postgres://hidden:hid%2Fden@db.example.com",
    "GET /new-password/hidden-Q7_hidden-hiddenhidden",
    "see https://example.com/anything/hidden-Q7_hidden-hidden.",
    ROW,
    EXCERPT,
    f"{ROW}\n[SQL: INSERT]\n(Background on this error)",
]


def test_it_is_left_out() -> None:
    assert [text for text in SECRETS if "hidden" in redact(text) or "not logged" not in redact(text)] == []


def test_what_follows_the_row_is_kept() -> None:
    rest = "[SQL: INSERT INTO users]\n(Background on this error)\n\nDuring handling of it: ValueError: x"
    assert redact(f"{ROW}\n{rest}").endswith(rest)


def test_what_only_looks_like_one_is_kept() -> None:
    paths = ('File "/a/sync_psycopg_connector.py"', "/app/one_long_name_of_a_folder/x", "/v/0048_add_a_long_name_1.py")
    for text in ("@bp.get", "a @ b", "File app/notes/service.py, LINE 3", "GET /notes/7", "10:30", *paths):
        assert redact(text) == text


def test_a_cause_is_the_class_and_the_last_line_of_the_message_and_of_the_database_what_the_server_says() -> None:
    assert cause(ValueError("first\nlast of a@b.c")) == "ValueError: last of (not logged)"
    assert cause(ValueError()) == "ValueError"
    assert len(cause(ValueError("x" * 9_999))) == LONGEST_CAUSE
    of_driver = UniqueViolation("duplicate key\nDETAIL:  Key (email)=(a@b.c) already exists.\n")
    told = cause(IntegrityError("INSERT INTO users", {}, of_driver, hide_parameters=True))
    assert told == "UniqueViolation: duplicate key"
    assert cause(OfTheDriver("the message\nHINT: none")) == "OfTheDriver: the message"
