"""Refuse unsafe revisions that are written by hand, and keep nothing of them."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from app.release.effects import rules
from app.release.errors import ReleaseError
from app.release.ledger import EXPAND
from tests.databases import Environment, copied_database
from tests.release import judged
from tests.release.fingerprint import fingerprint
from tests.release.migrating import Database, connected
from tests.release.revision_corpus.cases import NO_RULE, Unsafe, is_one_transaction, read_unsafe
from tests.release.sampling import one_in, sampled

UNSAFE = read_unsafe()
ONE_OF_EACH = list({case.danger: case for case in reversed(UNSAFE)}.values())[::-1]
BY_HAND = [case for case in ONE_OF_EACH if case.rule != NO_RULE]
RULES = rules.TAKES | rules.CONTRACTS | rules.NEVER
# What a refusal may advise: an operation, another way to write it, a command.
WAY_OUT = (
    r"_online|_contract|_with_view|backfill|excused\(|phase = |mapped_column|op\.get_bind"
    r"|Leave |Give |Fix |Put |Release |release commands"
)
# Statements that somebody may have a reason for.
EXCUSED = (
    "a column is dropped: SQL",
    "a table is renamed: in a DO block",
    "a column that the live release may leave empty is required: op",
    "a role loses what it may do with a table: one right",
    "an index is built while nobody can write: op",
)
EXCUSED_IN_PARTS = ("a column is dropped: in an autocommit_block", "a column is dropped: by our own operation")
REASON = "The service is closed tonight, so nobody reads or writes it."


class Served:
    """Share one copy of the corpus's database among all cases, as long as none of them changes it."""

    def __init__(self, environment: Environment, template: str) -> None:
        self._environment, self._template = environment, template
        self._opened = ExitStack()
        self._database: Database | None = None

    @contextmanager
    def unchanged(self) -> Iterator[Database]:
        """Require that the block leaves the database as it is: no row, no definition, no file is another one."""
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
    """Return what is said against a revision, of which nothing took effect."""
    with served.unchanged() as database, pytest.raises(ReleaseError) as refused:
        judged.upgrade(database, judged.written(folder, body, phase))
    return str(refused.value.message)


@pytest.mark.parametrize("case", sampled(UNSAFE, ONE_OF_EACH), ids=str)
def test_it_is_refused_and_nothing_of_it_is_kept(served: Served, tmp_path: Path, case: Unsafe) -> None:
    said = refusal(served, tmp_path, case.body, case.phase)
    for name in case.names.split():
        assert re.search(name, said, re.IGNORECASE), said
    if case.rule != NO_RULE:
        before, after = RULES[case.rule].what.split("{subject}")
        assert re.search(f"{re.escape(before)}.*?{re.escape(after)}", said), said
    assert re.search(case.instead or WAY_OUT, said), said


def test_what_a_revision_did_may_not_be_rolled_back_behind_its_back(served: Served, tmp_path: Path) -> None:
    """It would be recorded as done, with its second half alone. And the driver's autocommit mode begins so."""
    statements = [f'op.execute("CREATE TABLE {name} (id int)")' for name in ("first_half", "second_half")]
    body = "\nop.get_bind().connection.rollback()\n".join(statements)
    assert "rollback() takes back what the revision did" in refusal(served, tmp_path, body, EXPAND)


@pytest.mark.parametrize("case", one_in(4, [case for case in UNSAFE if str(case) in EXCUSED]), ids=str)
def test_an_excuse_with_a_reason_lets_it_pass(served: Served, tmp_path: Path, case: Unsafe) -> None:
    script = judged.written(tmp_path, judged.excused(case.body, REASON), case.phase)
    with served.unchanged() as database:
        assert judged.try_out(database, script, case.harm) is True


@pytest.mark.parametrize("case", one_in(4, [case for case in UNSAFE if str(case) in EXCUSED_IN_PARTS]), ids=str)
def test_an_excuse_lets_pass_what_commits_by_itself(corpus_copy: Database, tmp_path: Path, case: Unsafe) -> None:
    judged.upgrade(corpus_copy, judged.written(tmp_path, judged.excused(case.body, REASON), case.phase))
    assert corpus_copy.scalar(case.harm) is True


TRIGGER_FILLS = "ALTER TABLE surveys ADD plan_id bigint"
FOREIGN_KEY = 'add_foreign_key_online("wanted", "surveys", "todos", ["plan_id"], ["id"])'


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        (f"{TRIGGER_FILLS} NOT NULL DEFAULT 0", FOREIGN_KEY),
        (TRIGGER_FILLS, FOREIGN_KEY),
        (TRIGGER_FILLS, 'add_check_online("surveys", "wanted", "plan_id < 5")'),
        (TRIGGER_FILLS, 'add_unique_online("surveys", "wanted", ["plan_id"])'),
    ],
    ids=["a default, and a foreign key", "a foreign key", "a CHECK", "UNIQUE"],
)
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


def test_a_virtual_column_that_old_code_does_not_know_is_no_expand(corpus_copy: Database, tmp_path: Path) -> None:
    if corpus_copy.scalar("SELECT current_setting('server_version_num')::int < 180000"):
        pytest.skip("PostgreSQL 18 brought it")
    corpus_copy.execute("ALTER TABLE tickets ADD COLUMN small_seat text GENERATED ALWAYS AS (lower(seat)) VIRTUAL")
    for statement, name in (
        ("ADD COLUMN big_seat text GENERATED ALWAYS AS (upper(seat)) VIRTUAL NOT NULL", "big_seat"),
        ("ALTER COLUMN small_seat SET EXPRESSION AS (upper(seat))", "small_seat"),
    ):
        with pytest.raises(ReleaseError, match=name):
            judged.upgrade(corpus_copy, judged.written(tmp_path, f'op.execute("ALTER TABLE tickets {statement}")'))


def test_what_setval_does_to_a_sequence_is_told_though_nothing_undoes_it(corpus_copy: Database, tmp_path: Path) -> None:
    def setval(number: int) -> None:
        body = f"""op.execute("SELECT setval('ticket_numbers', {number})")"""
        judged.upgrade(corpus_copy, judged.written(tmp_path, body))

    with pytest.raises(ReleaseError, match=r"ticket_numbers gives numbers that rows have already.*not undone"):
        setval(1)
    corpus_copy.execute("ALTER SEQUENCE ticket_numbers MAXVALUE 10000")
    setval(1000)
    with pytest.raises(ReleaseError, match=r"ticket_numbers would give few numbers more.*not undo"):
        setval(10000)


def test_an_excuse_without_a_reason_is_none(served: Served, tmp_path: Path) -> None:
    for reason in ("   ", "ok"):
        body = judged.excused('op.drop_column("notes", "tags")', reason)
        assert "reason" in refusal(served, tmp_path, body, EXPAND)


def test_an_excuse_covers_one_statement_and_not_the_next(served: Served, tmp_path: Path) -> None:
    body = judged.excused('op.drop_column("notes", "tags")', REASON) + '\nop.drop_column("notes", "title")'
    said = refusal(served, tmp_path, body, EXPAND)
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
    assert "tags" in refusal(served, tmp_path, body, EXPAND)


def test_two_statements_need_two_excuses(served: Served, tmp_path: Path) -> None:
    for body in (
        'op.drop_column("notes", "tags")\nop.drop_column("notes", "title")',
        'op.execute("ALTER TABLE notes DROP COLUMN tags; ALTER TABLE notes DROP COLUMN title")',
    ):
        assert "one statement" in refusal(served, tmp_path, judged.excused(body, REASON), EXPAND)


@pytest.mark.minutes
@pytest.mark.each_server
def test_plain_alembic_lets_each_take_effect(
    served: Served, server_environment: Environment, corpus: str, tmp_path: Path
) -> None:
    """A revision that fails by itself would prove nothing."""
    harmless = []
    for case in BY_HAND:
        script = judged.written(tmp_path, case.body, case.phase)
        with ExitStack() as stack:
            if is_one_transaction(case.body) and not re.search("commit|rollback|engine", case.body, re.IGNORECASE):
                database = stack.enter_context(served.unchanged())
            else:
                copy = stack.enter_context(copied_database(server_environment, corpus))
                database = stack.enter_context(connected(copy))
            was_harmed = database.scalar(case.harm)
            is_harmed = judged.try_out_by_plain_alembic(database, script, case.harm)
            if (was_harmed, is_harmed) != (False, True):
                harmless.append((str(case), was_harmed, is_harmed))
    assert harmless == []


def test_each_rule_of_the_guard_has_a_danger() -> None:
    judged_elsewhere = {
        *("sets-sequence-back", "rolls-back"),  # by a test above
        "narrows-check",  # by those of a CHECK that is replaced
    }
    assert {case.rule for case in UNSAFE} - {NO_RULE} | judged_elsewhere == {*RULES}
