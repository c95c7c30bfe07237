"""Unsafe revisions, written by hand in every spelling that we know: each is refused, and nothing of it is kept."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from app.release.errors import ReleaseError
from app.release.ledger import EXPAND
from tests.databases import Environment, copied_database
from tests.release import judged
from tests.release.fingerprint import fingerprint
from tests.release.migrating import Database, connected
from tests.release.revision_corpus.cases import Unsafe, is_one_transaction
from tests.release.revision_corpus.excuses import EXCUSABLE
from tests.release.revision_corpus.unsafe import UNSAFE
from tests.release.sampling import one_in, sampled

# What a refusal may advise: an operation, another way to write it, a command.
WAY_OUT = (
    r"_online|_contract|_with_view|backfill|excused\(|phase = |mapped_column|op\.get_bind"
    r"|Leave |Give |Fix |Put |Release |release commands"
)
ONE_OF_EACH = [case for case in UNSAFE if case.spelling == next(iter(case.danger.spellings))]
EXCUSED = [case for case in EXCUSABLE if is_one_transaction(case.body)]
EXCUSED_IN_PARTS = [case for case in EXCUSABLE if not is_one_transaction(case.body)]
REASON = "The service is closed tonight, so nobody reads or writes it."


class Served:
    """One copy of the corpus's database for all cases, as long as none of them changes it."""

    def __init__(self, environment: Environment, template: str) -> None:
        self._environment, self._template = environment, template
        self._opened = ExitStack()
        self._database: Database | None = None

    @contextmanager
    def unchanged(self) -> Iterator[Database]:
        """The database, which the block leaves as it is: no row, no definition, no file is another one."""
        database = self._copy() if self._database is None else self._database
        try:
            yield database
        finally:
            after = fingerprint(database.engine)
            if after != self._before:
                self.close()
        gone, new = sorted(self._before - after), sorted(after - self._before)
        assert (gone, new) == ([], [])

    def _copy(self) -> Database:
        copy = self._opened.enter_context(copied_database(self._environment, self._template))
        database = self._database = self._opened.enter_context(connected(copy))
        self._before = fingerprint(database.engine)
        return database

    def close(self) -> None:
        self._opened.close()
        self._database = None


@pytest.fixture(scope="module")
def served(server_environment: Environment, corpus: str) -> Iterator[Served]:
    served = Served(server_environment, corpus)
    yield served
    served.close()


def refusal(served: Served, folder: Path, body: str, phase: str) -> str:
    """What is said against a revision, of which nothing took effect."""
    with served.unchanged() as database, pytest.raises(ReleaseError) as refused:
        judged.upgrade(database, judged.written(folder, body, phase))
    return str(refused.value.message)


@pytest.mark.parametrize("case", sampled(UNSAFE, ONE_OF_EACH), ids=str)
def test_it_is_refused_and_nothing_of_it_is_kept(served: Served, tmp_path: Path, case: Unsafe) -> None:
    said = refusal(served, tmp_path, case.body, case.danger.phase)
    for name in case.danger.names:
        assert re.search(name, said, re.IGNORECASE), said
    assert re.search(case.danger.instead or WAY_OUT, said), said


def test_what_a_revision_did_may_not_be_rolled_back_behind_its_back(served: Served, tmp_path: Path) -> None:
    """It would be recorded as done, with its second half alone. And the driver's autocommit mode begins so."""
    statements = [f'op.execute("CREATE TABLE {name} (id int)")' for name in ("first_half", "second_half")]
    body = "\nop.get_bind().connection.rollback()\n".join(statements)
    assert "rollback() takes back what the revision did" in refusal(served, tmp_path, body, EXPAND)


@pytest.mark.parametrize("case", one_in(4, EXCUSED), ids=str)
def test_an_excuse_with_a_reason_lets_it_pass(served: Served, tmp_path: Path, case: Unsafe) -> None:
    script = judged.written(tmp_path, judged.excused(case.body, REASON), case.danger.phase)
    with served.unchanged() as database:
        assert judged.try_out(database, script, case.danger.harm) is True


@pytest.mark.parametrize("case", one_in(4, EXCUSED_IN_PARTS), ids=str)
def test_an_excuse_lets_pass_what_commits_by_itself(corpus_copy: Database, tmp_path: Path, case: Unsafe) -> None:
    judged.upgrade(corpus_copy, judged.written(tmp_path, judged.excused(case.body, REASON), case.danger.phase))
    assert corpus_copy.scalar(case.danger.harm) is True


RULES_BY_OPERATION = {
    "a foreign key, whose column has a default": (
        "ALTER TABLE surveys ADD plan_id bigint NOT NULL DEFAULT 0",
        'add_foreign_key_online("wanted", "surveys", "todos", ["plan_id"], ["id"])',
    ),
    "a foreign key, whose column a trigger fills": (
        "ALTER TABLE surveys ADD plan_id bigint",
        'add_foreign_key_online("wanted", "surveys", "todos", ["plan_id"], ["id"])',
    ),
    "a CHECK, whose column a trigger fills": (
        "ALTER TABLE surveys ADD plan_id bigint",
        'add_check_online("surveys", "wanted", "plan_id < 5")',
    ),
    "UNIQUE, whose column a trigger fills": (
        "ALTER TABLE surveys ADD plan_id bigint",
        'add_unique_online("surveys", "wanted", ["plan_id"])',
    ),
}


@pytest.mark.parametrize(("column", "rule"), RULES_BY_OPERATION.values(), ids=RULES_BY_OPERATION)
def test_a_rule_on_a_column_that_gets_a_value_by_itself_is_no_expand(
    corpus_copy: Database, tmp_path: Path, column: str, rule: str
) -> None:
    """The live release does not write the column, and yet its rows have to meet the rule."""
    corpus_copy.execute("DELETE FROM surveys")
    corpus_copy.execute(column)
    with pytest.raises(ReleaseError, match="wanted"):
        judged.upgrade(corpus_copy, judged.written(tmp_path, rule))
    assert corpus_copy.scalar(
        "SELECT to_regclass('wanted') IS NULL AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'wanted')"
    )


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("ADD COLUMN big_seat text GENERATED ALWAYS AS (upper(seat)) VIRTUAL NOT NULL", "big_seat"),
        ("ALTER COLUMN small_seat SET EXPRESSION AS (upper(seat))", "small_seat"),
    ],
    ids=["required", "of another expression"],
)
def test_a_virtual_column_that_old_code_does_not_know_is_no_expand(
    corpus_copy: Database, tmp_path: Path, statement: str, name: str
) -> None:
    if corpus_copy.scalar("SELECT current_setting('server_version_num')::int < 180000"):
        pytest.skip("PostgreSQL 18 brought it")
    corpus_copy.execute("ALTER TABLE tickets ADD COLUMN small_seat text GENERATED ALWAYS AS (lower(seat)) VIRTUAL")
    with pytest.raises(ReleaseError, match=name):
        judged.upgrade(corpus_copy, judged.written(tmp_path, f'op.execute("ALTER TABLE tickets {statement}")'))


def test_a_sequence_that_is_set_back_is_told_though_nothing_undoes_it(corpus_copy: Database, tmp_path: Path) -> None:
    script = judged.written(tmp_path, """op.execute("SELECT setval('ticket_numbers', 1)")""")
    with pytest.raises(ReleaseError, match=r"ticket_numbers gives numbers that rows have already.*not undone"):
        judged.upgrade(corpus_copy, script)


def test_a_sequence_that_is_set_near_its_end_is_told_though_nothing_undoes_it(
    corpus_copy: Database, tmp_path: Path
) -> None:
    corpus_copy.execute("ALTER SEQUENCE ticket_numbers MAXVALUE 10000")
    judged.upgrade(corpus_copy, judged.written(tmp_path, """op.execute("SELECT setval('ticket_numbers', 1000)")"""))
    script = judged.written(tmp_path, """op.execute("SELECT setval('ticket_numbers', 10000)")""")
    with pytest.raises(ReleaseError, match=r"ticket_numbers would give few numbers more.*not undo"):
        judged.upgrade(corpus_copy, script)


@pytest.mark.parametrize("reason", ["", "   ", "ok"])
def test_an_excuse_without_a_reason_is_none(served: Served, tmp_path: Path, reason: str) -> None:
    body = judged.excused('op.drop_column("notes", "tags")', reason)
    assert "reason" in refusal(served, tmp_path, body, "expand")


def test_an_excuse_covers_one_statement_and_not_the_next(served: Served, tmp_path: Path) -> None:
    body = judged.excused('op.drop_column("notes", "tags")', REASON) + '\nop.drop_column("notes", "title")'
    said = refusal(served, tmp_path, body, "expand")
    assert "title" in said
    assert "tags" not in said


def test_an_excuse_does_not_cover_what_a_function_did_before_it(served: Served, tmp_path: Path) -> None:
    drops = "BEGIN ALTER TABLE notes DROP COLUMN tags; RETURN 1; END"
    body = f"""
        op.execute("CREATE FUNCTION forget() RETURNS int LANGUAGE plpgsql AS '{drops}'")
        op.execute("INSERT INTO leftovers SELECT forget()")
        with excused({REASON!r}):
            op.execute("ALTER TABLE notes ALTER title SET STATISTICS 100")
        """
    assert "tags" in refusal(served, tmp_path, body, "expand")


@pytest.mark.parametrize(
    "body",
    [
        'op.drop_column("notes", "tags")\nop.drop_column("notes", "title")',
        'op.execute("ALTER TABLE notes DROP COLUMN tags; ALTER TABLE notes DROP COLUMN title")',
    ],
    ids=["two calls", "one text"],
)
def test_two_statements_need_two_excuses(served: Served, tmp_path: Path, body: str) -> None:
    assert "one statement" in refusal(served, tmp_path, judged.excused(body, REASON), "expand")


@pytest.mark.minutes
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_plain_alembic_lets_it_take_effect(corpus_copy: Database, tmp_path: Path, case: Unsafe) -> None:
    """So each case is a real one; a revision that fails by itself would prove nothing."""
    assert corpus_copy.scalar(case.danger.harm) is False
    judged.upgrade_by_plain_alembic(corpus_copy, judged.written(tmp_path, case.body, case.danger.phase))
    assert corpus_copy.scalar(case.danger.harm) is True
