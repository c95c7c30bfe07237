"""A wider CHECK: PostgreSQL's planner proves that it takes each row that the other one takes. Then an expand may."""

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest
from alembic.script import ScriptDirectory

from app.release.errors import UnsafeOperation
from app.release.implication import takes_all
from app.release.lint import lint
from app.release.operations import add_check_online
from tests.release import judged
from tests.release.history import CONTRACT, EXPAND, NO_MODELS, history, write_revision
from tests.release.migrating import Database

THINGS = "CREATE TABLE things (id bigint PRIMARY KEY, size int, kind varchar(9), weight numeric, mood mood, made date)"


def one_of(count: int) -> str:
    return f"size IN ({', '.join(map(str, range(count)))})"


# The old condition and the new one.
WIDER = {
    "a value more": ("kind IN ('a', 'b')", "kind IN ('a', 'b', 'c')"),
    "one value, then two": ("kind = 'a'", "kind IN ('a', 'b')"),
    "a list of one, then of two": ("kind IN ('a')", "kind IN ('a', 'b')"),
    "the values in another order": ("kind IN ('a', 'b')", "kind IN ('b', 'a')"),
    "values of an enum": ("mood IN ('good')", "mood IN ('good', 'bad')"),
    "a hundred values": (one_of(99), one_of(100)),
    "a range": ("size < 10", "size < 20"),
    "a range with both ends": ("size BETWEEN 1 AND 5", "size BETWEEN 0 AND 9"),
    "a range that now has its end in it": ("size < 10", "size <= 10"),
    "a range of days": ("made > '2020-01-01'", "made > '2019-01-01'"),
    "a range of decimals": ("weight < 10", "weight < 10.5"),
    "values of a range": ("size IN (1, 2)", "size > 0"),
    "a longer text": ("length(kind) < 5", "length(kind) < 9"),
    "NULL, which passed anyway": ("size < 10", "size < 10 OR size IS NULL"),
    "NULL, which did not": ("size IS NOT NULL AND size < 10", "size < 10"),
    "one of two rules": ("size < 10 AND kind = 'a'", "size < 10"),
    "a rule or another": ("kind ~ '^a'", "kind ~ '^a' OR size < 3"),
    "everything": ("size < 10", "true"),
    "a percent sign": ("kind LIKE 'a%'", "kind LIKE 'a%' OR kind LIKE '%b'"),
}
NARROWER = {
    "a value less": ("kind IN ('a', 'b')", "kind IN ('a')"),
    "another value": ("kind IN ('a', 'b')", "kind IN ('a', 'c', 'd')"),
    "another case": ("kind IN ('a', 'b')", "kind IN ('A', 'b', 'c')"),
    "a range": ("size < 20", "size < 10"),
    "a range without its end": ("size <= 10", "size < 10"),
    "a range moved": ("size BETWEEN 1 AND 5", "size BETWEEN 2 AND 9"),
    "another column": ("size < 10", "id < 10"),
    "no NULL any more": ("size < 10", "size < 20 AND size IS NOT NULL"),
    "no NULL any more, as IS TRUE": ("size < 10", "(size < 20) IS TRUE"),
    "any value but NULL": ("size > 0", "size IS NOT NULL"),
    "a rule more": ("size < 10", "size < 10 AND kind = 'a'"),
    "nothing": ("size < 10", "false"),
}
# They are wider, and PostgreSQL does not see it.
NOT_PROVEN = {
    "more than a hundred values": (one_of(100), one_of(101)),
    "a regular expression": ("kind ~ '^[ab]$'", "kind ~ '^[abc]$'"),
    "another type": ("size < 10", "size < 10.5"),
}


@pytest.fixture
def things(database: Database) -> Database:
    database.execute(f"CREATE TYPE mood AS ENUM ('good', 'bad'); {THINGS}")
    return database


@pytest.mark.parametrize(("old", "new"), WIDER.values(), ids=WIDER)
def test_it_is_wider(things: Database, old: str, new: str) -> None:
    assert is_wider(things, f"CHECK ({old})", f"CHECK ({new})")


@pytest.mark.parametrize(("old", "new"), (NARROWER | NOT_PROVEN).values(), ids=NARROWER | NOT_PROVEN)
def test_it_is_not_known_to_be_wider(things: Database, old: str, new: str) -> None:
    assert not is_wider(things, f"CHECK ({old})", f"CHECK ({new})")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("UNIQUE (size)", "CHECK (true)"),
        ("CHECK (false)", "UNIQUE (size)"),
        ("CHECK (false) NO INHERIT", "CHECK (true)"),
    ],
)
def test_of_other_constraints_it_is_not_known(things: Database, old: str, new: str) -> None:
    assert not is_wider(things, old, new)


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


@pytest.mark.parametrize("again", [1, 2], ids=["once", "again, as after a kill"])
def test_an_expand_may_widen_a_check(ruled: Database, tmp_path: Path, again: int) -> None:
    for _ in range(again):
        judged.upgrade(ruled, judged.written(tmp_path, replacing("size < 20")))
    assert ruled.scalar(RULE) == "CHECK ((size < 20))"


@pytest.mark.parametrize("condition", ["size < 5", "id < 10", "size < 20 AND size IS NOT NULL", "size < 10.5"])
def test_an_expand_may_not_narrow_one(
    ruled: Database, tmp_path: Path, condition: str, schema_dump: Callable[[], str]
) -> None:
    before = schema_dump()
    with pytest.raises(UnsafeOperation, match=r'ck_things may refuse .*phase = "contract".*excused\("…"\)'):
        judged.upgrade(ruled, judged.written(tmp_path, replacing(condition)))
    assert schema_dump() == before
    judged.upgrade(ruled, judged.written(tmp_path, replacing(condition), phase="contract"))
    assert schema_dump() != before


def test_what_cannot_be_proven_can_be_excused(ruled: Database, tmp_path: Path) -> None:
    body = judged.excused(replacing("size < 10.5"), "Each integer below 10 is below 10.5.")
    judged.upgrade(ruled, judged.written(tmp_path, body))
    assert "10.5" in ruled.scalar(RULE)


def test_a_check_that_is_not_valid_yet_binds_new_rows_all_the_same(ruled: Database, tmp_path: Path) -> None:
    ruled.execute("ALTER TABLE things DROP CONSTRAINT ck_things")
    ruled.execute("ALTER TABLE things ADD CONSTRAINT ck_things CHECK (size < 10) NOT VALID")
    judged.upgrade(ruled, judged.written(tmp_path, replacing("size < 20")))
    assert ruled.scalar(RULE) == "CHECK ((size < 20))"


@pytest.mark.parametrize(
    ("condition", "rules"),
    [
        ("position < 20", []),
        ("position IN (1, 2)", ["narrows-check"]),
        ("position < 20 AND note IS NOT NULL", ["narrows-check"]),
        ("user_id < 10", ["narrows-check"]),
    ],
)
def test_lint_says_the_same(database: Database, tmp_path: Path, condition: str, rules: list[str]) -> None:
    check = 'from app.release.operations import add_check_online\nadd_check_online("todos", "ck_todos", "{}"{})'
    history(tmp_path, check.format("position < 10", ""), CONTRACT)
    widened = indent(check.format(condition, ", replace=True"), "    ")
    write_revision(tmp_path, "0003", "0002", EXPAND, f"def upgrade():\n{widened}\n")
    found = lint(ScriptDirectory(str(tmp_path)), NO_MODELS, ["0003"])
    assert [finding.rule for finding in found] == rules


NEW_COLUMNS = """
add_column_online("things", sa.Column("colour", sa.Text()))
add_column_online("things", sa.Column("parts", sa.Integer(), server_default="1", nullable=False))
add_check_online("things", "ck_new", "{}")
"""


@pytest.mark.parametrize("condition", ["colour <> ''", "colour IN ('red', 'blue')", "parts > 0"])
def test_an_expand_may_add_a_check_that_rows_of_the_live_release_meet(
    things: Database, tmp_path: Path, condition: str
) -> None:
    judged.upgrade(things, judged.written(tmp_path, NEW_COLUMNS.format(condition)))


@pytest.mark.parametrize(
    "condition",
    [
        *("colour IS NOT NULL", "parts > 1", "size < 5 AND colour <> ''", "size < parts"),
        "size < parts + length(colour)",  # where new code has filled the colour, and old code changes the size
    ],
)
def test_an_expand_may_not_add_one_that_they_break(things: Database, tmp_path: Path, condition: str) -> None:
    """Though they leave a column out that it names."""
    with pytest.raises(UnsafeOperation, match="ck_new may refuse what the release before writes"):
        judged.upgrade(things, judged.written(tmp_path, NEW_COLUMNS.format(condition)))
    assert things.scalar("SELECT count(*) FROM pg_constraint WHERE conname = 'ck_new'") == 0
