"""Widen a CHECK in an expand, where PostgreSQL's planner proves that it takes each row that the old one takes."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.release.errors import UnsafeOperation
from app.release.implication import takes_all
from app.release.lint import lint
from app.release.operations import add_check_online
from tests.release import judged
from tests.release.fingerprint import schema_fingerprint
from tests.release.history import CONTRACT, NO_MODELS, history, write_revision
from tests.release.migrating import Database

THINGS = "CREATE TABLE things (id bigint PRIMARY KEY, size int, kind varchar(9), weight numeric, mood mood, made date)"


def one_of(count: int) -> str:
    return f"size IN ({', '.join(map(str, range(count)))})"


# The old condition and the new one.
WIDER = [
    ("kind IN ('a', 'b')", "kind IN ('a', 'b', 'c')"),
    ("kind = 'a'", "kind IN ('a', 'b')"),
    ("kind IN ('a', 'b')", "kind IN ('b', 'a')"),
    ("mood IN ('good')", "mood IN ('good', 'bad')"),
    (one_of(99), one_of(100)),
    ("size < 10", "size <= 10"),
    ("weight < 10", "weight < 10.5"),
    ("size IN (1, 2)", "size > 0"),
    ("length(kind) < 5", "length(kind) < 9"),
    ("size < 10", "size < 10 OR size IS NULL"),  # NULL passed anyway
    ("size IS NOT NULL AND size < 10", "size < 10"),  # and did not
    ("kind ~ '^a'", "kind ~ '^a' OR size < 3"),
    ("size < 10", "true"),
]
NARROWER = [
    ("kind IN ('a', 'b')", "kind IN ('a')"),
    ("kind IN ('a', 'b')", "kind IN ('A', 'b', 'c')"),
    ("size <= 10", "size < 10"),
    ("size < 10", "id < 10"),
    ("size < 10", "size < 20 AND size IS NOT NULL"),
    ("size < 10", "(size < 20) IS TRUE"),
    ("size > 0", "size IS NOT NULL"),
    ("size < 10", "false"),
]
# They are wider, and PostgreSQL does not see it.
NOT_PROVEN = [
    (one_of(100), one_of(101)),
    ("kind ~ '^[ab]$'", "kind ~ '^[abc]$'"),
    ("size < 10", "size < 10.5"),
]
NO_CHECKS = [
    ("UNIQUE (size)", "CHECK (true)"),
    ("CHECK (false)", "UNIQUE (size)"),
    ("CHECK (false) NO INHERIT", "CHECK (true)"),
]


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(f"CREATE TYPE mood AS ENUM ('good', 'bad'); {THINGS}")
    return database


def checks(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"CHECK ({old})", f"CHECK ({new})") for old, new in pairs]


def test_a_wider_check_is_told_from_one_that_is_not_known_to_be_wider(things: Database) -> None:
    assert [pair for pair in checks(WIDER) if not is_wider(things, *pair)] == []
    assert [pair for pair in [*checks(NARROWER), *checks(NOT_PROVEN), *NO_CHECKS] if is_wider(things, *pair)] == []


def is_wider(database: Database, old: str, new: str) -> bool:
    with database.engine.begin() as connection:
        found = takes_all(connection, "things", old, new)
        assert connection.exec_driver_sql("SHOW constraint_exclusion").scalar() == "partition"
        return found


def replacing(condition: str) -> str:
    return f'add_check_online("things", "ck_things", "{condition}", replace=True)'


@pytest.fixture
def ruled(things: Database) -> Database:
    things.migrate(lambda: add_check_online("things", "ck_things", "size < 10"))
    return things


RULE = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_things' AND convalidated"


def test_an_expand_may_widen_a_check_and_again_as_after_a_kill(ruled: Database, tmp_path: Path) -> None:
    for _ in range(2):
        judged.upgrade(ruled, judged.written(tmp_path, replacing("size < 20")))
    assert ruled.scalar(RULE) == "CHECK ((size < 20))"


def test_an_expand_may_not_narrow_one(ruled: Database, tmp_path: Path) -> None:
    before = schema_fingerprint(ruled.engine)
    for condition in ("size < 5", "id < 10", "size < 20 AND size IS NOT NULL", "size < 10.5"):
        with pytest.raises(UnsafeOperation, match=r'ck_things may refuse .*phase = "contract".*excused\("…"\)'):
            judged.upgrade(ruled, judged.written(tmp_path, replacing(condition)))
        assert schema_fingerprint(ruled.engine) == before
    judged.upgrade(ruled, judged.written(tmp_path, replacing("size < 5"), phase="contract"))
    assert ruled.scalar(RULE) == "CHECK ((size < 5))"


def test_what_cannot_be_proven_can_be_excused(ruled: Database, tmp_path: Path) -> None:
    body = judged.excused(replacing("size < 10.5"), "Each integer below 10 is below 10.5.")
    judged.upgrade(ruled, judged.written(tmp_path, body))
    assert "10.5" in ruled.scalar(RULE)


def test_a_check_that_is_not_valid_yet_binds_new_rows_all_the_same(ruled: Database, tmp_path: Path) -> None:
    ruled.execute("ALTER TABLE things DROP CONSTRAINT ck_things")
    ruled.execute("ALTER TABLE things ADD CONSTRAINT ck_things CHECK (size < 10) NOT VALID")
    judged.upgrade(ruled, judged.written(tmp_path, replacing("size < 20")))
    assert ruled.scalar(RULE) == "CHECK ((size < 20))"


def test_lint_says_the_same(database: Database, tmp_path: Path) -> None:
    check = 'add_check_online("todos", "ck_todos", "{}"{})'
    history(tmp_path, check.format("position < 10", ""), CONTRACT)
    for number, condition in (("0003", "position < 20"), ("0004", "position IN (1, 2)")):
        write_revision(tmp_path, number, "0002", check.format(condition, ", replace=True"))
    directory = ScriptDirectory(str(tmp_path))
    assert lint(directory, NO_MODELS, ["0003"]) == []
    assert [finding.rule for finding in lint(directory, NO_MODELS, ["0004"])] == ["narrows-check"]


NEW_COLUMNS = """
add_column_online("things", sa.Column("colour", sa.Text()))
add_column_online("things", sa.Column("parts", sa.Integer(), server_default="1", nullable=False))
add_check_online("things", "ck_new", "{}")
"""


def test_an_expand_may_add_a_check_that_rows_of_the_live_release_meet(things: Database, tmp_path: Path) -> None:
    for number, condition in enumerate(("colour <> ''", "colour IN ('red', 'blue')", "parts > 0")):
        lines = NEW_COLUMNS.format(condition).replace("ck_new", f"ck_new_{number}")
        judged.upgrade(things, judged.written(tmp_path, lines))
        things.execute("ALTER TABLE things DROP colour, DROP parts")


BROKEN = [
    *("colour IS NOT NULL", "parts > 1", "size < 5 AND colour <> ''", "size < parts"),
    "size < parts + length(colour)",  # where new code has filled the colour, and old code changes the size
]


def test_an_expand_may_not_add_one_that_they_break(things: Database, tmp_path: Path) -> None:
    """Though they leave a column out that it names."""
    for condition in BROKEN:
        with pytest.raises(UnsafeOperation, match="ck_new may refuse what the release before writes"):
            judged.upgrade(things, judged.written(tmp_path, NEW_COLUMNS.format(condition)))
        assert things.scalar("SELECT count(*) FROM pg_constraint WHERE conname = 'ck_new'") == 0
        things.execute("ALTER TABLE things DROP IF EXISTS colour, DROP IF EXISTS parts")
