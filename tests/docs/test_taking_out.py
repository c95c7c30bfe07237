"""CONTRIBUTING.md takes a feature out: by its commands, and none else, what stays passes the tests of the house."""

import re
import textwrap

import pytest
from sqlalchemy import create_engine, text

from tests.databases import Environment
from tests.docs.test_contributing import GUIDE, Checkout, checkout

__all__ = ["checkout"]  # a fixture

SECTION = GUIDE.partition("## Take a feature out\n")[2].partition("\n## ")[0]
COMMANDS = [
    line.strip().removeprefix(".venv/bin/") for line in re.findall(r"^    (?!with| )(.*)$", SECTION, re.MULTILINE)
]
[RECOUNT] = re.findall(r"^```python\n(.*?)```$", SECTION, re.MULTILINE | re.DOTALL)
# Tests that named word counts before, but for the tests that need a browser or processes of their own.
TESTS = [
    *("tests/api/test_document.py", "tests/demo", "tests/docs/test_api.py", "tests/docs/test_promises.py"),
    *("tests/mypage/test_my_page.py", "tests/portability/test_round_trip.py", "tests/test_architecture.py"),
    *("tests/test_quotas.py", "tests/web/test_access.py", "tests/web/test_owners.py", "tests/web/test_templates.py"),
    "tests/release/test_migrations.py::test_from_empty_the_models_and_the_schema_agree",
]
ADD = """
    INSERT INTO users (email, nickname, nickname_key, password_hash) VALUES ('a@example.com', 'a', 'a', '');
    INSERT INTO results (user_id, url, status) SELECT id, 'https://example.com', 'done' FROM users;
    INSERT INTO notes (user_id, title, content) SELECT id, 'stays', '' FROM users"""
KEPT = "SELECT results_done, results_stored, notes_stored FROM figures"


@pytest.mark.minutes
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_word_counts_are_taken_out(checkout: Checkout, migrated_environment: Environment) -> None:
    *before, dropping = COMMANDS
    engine = create_engine(migrated_environment["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text(ADD))
    assert before[-1] == "make test && make lint"
    for command in before[:-1]:
        if command.startswith("make"):
            checkout.make(command.removeprefix("make "))
        else:
            checkout.run("sh", "-c", command)
    checkout.commit()
    checkout.make("lint")
    checkout.run("python", "-m", "pytest", "-q", "-m", "not browser and not servers and not minutes", *TESTS)

    checkout.run("sh", "-c", dropping)
    [revision] = (checkout.folder / "migrations/versions").glob("*drop_the_results*.py")
    drop = '    drop_table_contract("results")\n'
    written = revision.read_text().replace(drop, textwrap.indent(textwrap.dedent(RECOUNT), "    ") + drop)
    revision.write_text(written.replace("import drop_table_contract", "import drop_table_contract, excused"))
    checkout.run("flask", "db", "upgrade")
    with engine.begin() as connection:
        assert connection.execute(text("SELECT recount_figures(id) FROM users")).all() == [(1,)]
        assert connection.execute(text(KEPT)).all() == [(0, 0, 1)]
        assert connection.scalar(text("SELECT to_regclass('results')")) is None
    engine.dispose()
