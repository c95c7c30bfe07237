"""The release before meets a newer database, as `heroku rollback` has it run its own `flask db upgrade` there."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.release.checkout import Checkout
from tests.release.sessions import Sessions

Checkouts = Callable[[str], Checkout]

OLD = {"0001": "op.execute('CREATE TABLE numbers (n int)')", "0002": "op.execute('INSERT INTO numbers VALUES (2)')"}


@pytest.fixture
def old(checkout_of: Checkouts) -> Checkout:
    return with_history(checkout_of("old"))


@pytest.fixture
def new(checkout_of: Checkouts) -> Checkout:
    return with_history(checkout_of("new"))


def with_history(checkout: Checkout) -> Checkout:
    checkout.forget_history()
    for number, body in OLD.items():
        checkout.write_revision(number, body, downgrade="op.execute('DROP TABLE IF EXISTS numbers')")
    return checkout


def add_steps(checkout: Checkout, *phases: str | None) -> None:
    """0003 and on, one of each phase."""
    for number, phase in enumerate(phases, start=3):
        body = f"op.execute('INSERT INTO numbers VALUES ({number})')"
        undo = f"op.execute('DELETE FROM numbers WHERE n = {number}')"
        checkout.write_revision(f"{number:04d}", body, phase=phase, downgrade=undo)


def everything(sessions: Sessions, dump: Callable[[], str]) -> tuple[str, dict[str, list[Any]]]:
    return dump(), sessions.contents()


def test_behind_steps_that_only_add_it_is_green_and_says_that_the_database_is_ahead(
    old: Checkout, new: Checkout, sessions: Sessions, schema_dump: Callable[[], str]
) -> None:
    add_steps(new, "expand", "expand")
    assert new.flask("db", "upgrade").returncode == 0
    before = everything(sessions, schema_dump)
    ended = old.flask("db", "upgrade")
    assert ended.returncode == 0, ended.stderr
    assert "nothing to do: the database is at 0004, ahead of this code at 0002" in ended.stdout
    assert everything(sessions, schema_dump) == before


@pytest.mark.parametrize("phases", [("contract", "expand"), ("expand", None)])
def test_behind_a_step_that_takes_away_it_ends_with_3_and_says_to_roll_forward(
    old: Checkout, new: Checkout, phases: tuple[str | None, ...], sessions: Sessions, schema_dump: Callable[[], str]
) -> None:
    add_steps(new, *phases)
    assert new.flask("db", "upgrade").returncode == 0
    before = everything(sessions, schema_dump)
    ended = old.flask("db", "upgrade")
    assert ended.returncode == 3
    assert ended.stderr.startswith("Error: The database is at 000")
    assert "ahead of this code at 0002" in ended.stderr
    assert "roll forward" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert everything(sessions, schema_dump) == before


def test_at_a_revision_that_nobody_knows_it_ends_with_2_and_says_how_to_find_it(
    old: Checkout, sessions: Sessions, schema_dump: Callable[[], str]
) -> None:
    assert old.flask("db", "upgrade").returncode == 0
    sessions.execute("UPDATE alembic_version SET version_num = 'lost'")
    before = everything(sessions, schema_dump)
    ended = old.flask("db", "upgrade")
    assert ended.returncode == 2
    assert "git log --all -S lost" in ended.stderr
    assert "nothing was changed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert everything(sessions, schema_dump) == before


def test_when_the_database_went_another_way_it_ends_with_2(
    old: Checkout, new: Checkout, sessions: Sessions, schema_dump: Callable[[], str]
) -> None:
    """Steps of this code are missing there, so it is not ahead, however harmless its own steps are."""
    new.remove_revision("0002")
    new.write_revision("0009", "op.execute('INSERT INTO numbers VALUES (9)')", down="0001")
    assert new.flask("db", "upgrade").returncode == 0
    before = everything(sessions, schema_dump)
    ended = old.flask("db", "upgrade")
    assert ended.returncode == 2
    assert "The database is at 0009" in ended.stderr
    assert everything(sessions, schema_dump) == before


@pytest.mark.parametrize("is_known", [True, False], ids=["in the ledger", "unknown"])
def test_other_commands_say_what_happened_and_what_to_type(
    old: Checkout, new: Checkout, is_known: bool, sessions: Sessions, schema_dump: Callable[[], str]
) -> None:
    add_steps(new, "expand")
    assert new.flask("db", "upgrade").returncode == 0
    if not is_known:
        sessions.execute("DELETE FROM schema_ledger WHERE revision = '0003'")
    before = everything(sessions, schema_dump)
    for command in (("migrate", "-m", "More"), ("check",), ("current",), ("downgrade",), ("stamp", "head")):
        ended = old.flask("db", *command)
        assert ended.returncode != 0, command
        assert ended.stderr.startswith("Error: The database is at 0003"), command
        assert ("git pull" if is_known else "git log --all -S 0003") in ended.stderr, command
        assert "Traceback" not in ended.stdout + ended.stderr, command
        assert everything(sessions, schema_dump) == before, command
    assert len(list((old.folder / "migrations/versions").glob("*.py"))) == 2


def test_behind_the_code_they_say_to_upgrade(new: Checkout, sessions: Sessions) -> None:
    assert new.flask("db", "upgrade", "0001").returncode == 0
    before = sessions.contents()
    for command in (("migrate", "-m", "More"), ("check",)):
        ended = new.flask("db", *command)
        assert ended.returncode == 1, command
        assert "The database is at 0001 and the code at 0002; 1 pending: 0002." in ended.stderr, command
        assert "flask db upgrade" in ended.stderr, command
        assert "Traceback" not in ended.stdout + ended.stderr, command
        assert sessions.contents() == before, command
    assert len(list((new.folder / "migrations/versions").glob("*.py"))) == 2
