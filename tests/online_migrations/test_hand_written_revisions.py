"""Let safe revisions that are written by hand pass, and refuse unsafe ones and keep nothing of them."""

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from types import FunctionType
from unittest.mock import Mock

import pytest

from online_migrations.errors import ReleaseError
from online_migrations.guard.rules import CONTRACTS, NEVER, REFUSES_LIVE, TAKES
from online_migrations.guard.snapshot import read_touched
from online_migrations.state.ledger import CONTRACT, EXPAND
from tests.databases import Environment, copied_database
from tests.online_migrations import judged
from tests.online_migrations.dumps import fingerprint
from tests.online_migrations.migrating import Database, connected
from tests.online_migrations.revision_corpus.cases import (
    NO_RULE,
    ON_ONE_SERVER,
    Operation,
    Unsafe,
    is_one_transaction,
    one_in,
    read_operations,
    read_unsafe,
)


def by_rule(cases: list[Unsafe], marks: Sequence[Collection[pytest.MarkDecorator]]) -> Iterator[object]:
    """Yield the cases of each rule as one parameter; the marks take turns."""
    turns, key = itertools.cycle(marks), attrgetter("rule")
    for rule, of_rule in itertools.groupby(sorted(cases, key=key), key):
        yield pytest.param(list(of_rule), id=rule, marks=next(turns))


SAFE = read_operations("safe")
UNSAFE = read_unsafe()
# The first danger of each rule runs by itself, of some rules also in `make test`; the others of it together; and its
# other spellings, on one server.
OF_EACH_RULE = list({case.rule: case for case in reversed(UNSAFE)}.values())[::-1]
OF_EACH_DANGER = list({case.danger: case for case in reversed(UNSAFE)}.values())[::-1]
FURTHER_DANGERS = [case for case in OF_EACH_DANGER if case not in OF_EACH_RULE]
SPELLINGS = [
    *(
        pytest.param([case], id=str(case), marks=[pytest.mark.smoke] if case in OF_EACH_RULE[::8] else ())
        for case in OF_EACH_RULE
    ),
    *by_rule(FURTHER_DANGERS, [()]),
    *by_rule([case for case in UNSAFE if case not in OF_EACH_DANGER], ON_ONE_SERVER),
]
RULES = TAKES | CONTRACTS | NEVER
# What a refusal may advise: an operation, another way to write it, a command.
WAY_OUT = (
    r"_online|_contract|_with_view|backfill|excused\(|phase = |mapped_column|op\.get_bind"
    r"|Leave |Give |Fix |Put |Release |release commands"
)
# Statements that somebody may have a reason for.
EXCUSED = (
    *("a column is dropped: SQL", "a column is dropped: in an autocommit_block", "a table is renamed: in a DO block"),
    *("a column is dropped: by our own operation", "an index is built while nobody can write: op"),
    "a contract requires a value that the live release may leave out: by our own operation",
)
ROLLED_BACK = [case for case in SAFE if is_one_transaction(case.call)]
OTHERS = [case for case in ROLLED_BACK if case not in ROLLED_BACK[::4]]
REASON = "The service is closed tonight, so nobody reads or writes it."


@contextmanager
def named(case: object) -> Iterator[None]:
    """Say which case of several failed."""
    try:
        yield
    except BaseException as error:
        error.add_note(str(case))
        raise


class Served:
    """Share one copy of the corpus's database among all cases, of which none may change it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._state = fingerprint(database.engine)

    @contextmanager
    def unchanged(self) -> Iterator[Database]:
        """Require that the block leaves the database as it is: no row, no definition, no file is another one."""
        before = self._state
        try:
            yield self.database
        finally:
            after = self._state = fingerprint(self.database.engine)
        assert (sorted(before - after), sorted(after - before)) == ([], [])


@pytest.fixture(scope="module")
def served(server_environment: Environment, corpus: str) -> Iterator[Served]:
    with copied_database(server_environment, corpus) as environment, connected(environment) as database:
        yield Served(database)


@pytest.mark.parametrize(
    "cases",
    [ROLLED_BACK[::4], *(pytest.param(OTHERS[n::2], marks=marks) for n, marks in enumerate(ON_ONE_SERVER))],
    ids=["a sample", "others", "the rest"],
)
def test_a_safe_one_passes_and_takes_effect(served: Served, tmp_path: Path, cases: list[Operation]) -> None:
    with served.unchanged() as database:
        for case in cases:
            with named(case):
                assert database.scalar(case.holds) is False
                assert judged.try_out(database, judged.written(tmp_path, case.call, case.phase), case.holds) is True


@pytest.mark.parametrize("case", one_in(20, [case for case in SAFE if not is_one_transaction(case.call)]), ids=str)
def test_a_safe_one_passes_and_commits_by_itself(corpus_copy: Database, tmp_path: Path, case: Operation) -> None:
    assert corpus_copy.scalar(case.holds) is False
    judged.upgrade(corpus_copy, judged.written(tmp_path, case.call, case.phase))
    assert corpus_copy.scalar(case.holds) is True


def refusal(served: Served, folder: Path, body: str, phase: str = EXPAND) -> str:
    """Return what is said against a revision, of which nothing took effect."""
    with served.unchanged() as database:
        return said_of(database, folder, body, phase)


def said_of(database: Database, folder: Path, body: str, phase: str) -> str:
    with pytest.raises(ReleaseError) as refused:
        judged.upgrade(database, judged.written(folder, body, phase))
    return str(refused.value.message)


@pytest.mark.parametrize("cases", SPELLINGS)
def test_it_is_refused_and_nothing_of_it_is_kept(served: Served, tmp_path: Path, cases: list[Unsafe]) -> None:
    with served.unchanged() as database:
        for case in cases:
            with named(case):
                said = said_of(database, tmp_path, case.body, case.phase)
                for name in case.names.split():
                    assert re.search(name, said, re.IGNORECASE)
                if case.rule != NO_RULE:
                    of_its_phase = RULES | REFUSES_LIVE if case.phase == CONTRACT else RULES
                    before, after = of_its_phase[case.rule].what.split("{subject}")
                    assert re.search(f"{re.escape(before)}.*?{re.escape(after)}", said)
                assert re.search(case.instead or WAY_OUT, said)


@pytest.mark.parametrize("case", one_in(4, [case for case in UNSAFE if str(case) in EXCUSED]), ids=str)
def test_an_excuse_with_a_reason_lets_it_pass(corpus_copy: Database, tmp_path: Path, case: Unsafe) -> None:
    judged.upgrade(corpus_copy, judged.written(tmp_path, judged.excused(case.body, REASON), case.phase))
    assert corpus_copy.scalar(case.harm) is True


@pytest.mark.smoke
def test_an_excuse_needs_a_reason_and_covers_one_statement(served: Served, tmp_path: Path) -> None:
    drop_tags, drop_title = ('op.drop_column("notes", "tags")', 'op.drop_column("notes", "title")')
    for reason in ("   ", "ok"):
        assert "reason" in refusal(served, tmp_path, judged.excused(drop_tags, reason))
    said = refusal(served, tmp_path, f"{judged.excused(drop_tags, REASON)}\n{drop_title}")
    assert ("title" in said, "tags" in said) == (True, False)
    in_one_text = 'op.execute("ALTER TABLE notes DROP COLUMN tags; ALTER TABLE notes DROP COLUMN title")'
    for body in (f"{drop_tags}\n{drop_title}", in_one_text):
        assert "one statement" in refusal(served, tmp_path, judged.excused(body, REASON))


def test_an_excuse_covers_a_statement_that_follows_one_on_another_table(served: Served, tmp_path: Path) -> None:
    drops = judged.excused('op.drop_column("notes", "tags")', REASON)
    body = f"""op.execute("ALTER TABLE surveys ADD mark text")\n{drops}"""
    with served.unchanged() as database:
        question = "SELECT count(*) = 0 FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'tags'"
        assert judged.try_out(database, judged.written(tmp_path, body), question) is True


def test_an_excuse_does_not_cover_what_a_function_did_before_it(served: Served, tmp_path: Path) -> None:
    drops = "BEGIN ALTER TABLE notes DROP COLUMN tags; RETURN 1; END"
    body = f"""
        op.execute("CREATE FUNCTION forget() RETURNS int LANGUAGE plpgsql AS '{drops}'")
        op.execute("INSERT INTO leftovers SELECT forget()")
        with excused({REASON!r}):
            op.execute("ALTER TABLE notes ALTER title SET STATISTICS 100")
        """
    assert "tags" in refusal(served, tmp_path, body)


def test_rows_of_all_transactions_add_up_and_what_was_committed_is_told(corpus_copy: Database, tmp_path: Path) -> None:
    body = """
        op.execute("ALTER TABLE notes ADD mark text")
        with op.get_context().autocommit_block():
            for first in range(1, 3002, 400):
                op.execute(f"UPDATE todos SET position = 7 WHERE id BETWEEN {first} AND {first + 399}")
        """
    said = said_of(corpus_copy, tmp_path, body, EXPAND)
    assert "1,200 rows, the last ones of todos" in said
    assert "What lines 15 and 17 did had been committed before and stays; the rest was rolled back." in said
    assert corpus_copy.scalar("SELECT count(*) FROM todos WHERE position = 7") == 800
    assert "The revision was rolled back." in said_of(corpus_copy, tmp_path, 'op.drop_column("notes", "tags")', EXPAND)


def test_what_an_imported_upgrade_does_behind_an_operation_is_judged(corpus_copy: Database, tmp_path: Path) -> None:
    body = 'add_column_online("notes", sa.Column("mark", sa.Text))\nop.drop_column("notes", "tags")'
    script = judged.written(tmp_path, body)
    vars(script.module)["upgrade"] = FunctionType(script.module.upgrade.__code__, {**vars(script.module)})
    with pytest.raises(ReleaseError, match=r"notes\.tags would be gone.* What line 1 did had been committed before"):
        judged.upgrade(corpus_copy, script)
    assert corpus_copy.scalar("SELECT count(tags) FROM notes") > 0


def test_a_commit_that_its_text_hides_is_refused(corpus_copy: Database, tmp_path: Path) -> None:
    body = 'op.execute("ALTER TABLE notes ADD mark text")\nop.execute("/* /* */ */ COMMIT AND CHAIN")'
    assert "This statement would end the transaction" in said_of(corpus_copy, tmp_path, body, EXPAND)


def test_only_a_query_of_a_function_has_the_catalog_read_again(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Mock(wraps=read_touched)
    monkeypatch.setattr("online_migrations.guard.watch.read_touched", looks)
    for condition, number in (("id IN (%(one)s, 2)", 1), ("abs(id) = %(one)s", 2)):  # at COMMIT, and before the second
        asks = f"op.get_bind().exec_driver_sql('SELECT FROM notes WHERE {condition}', {{'one': 1}})\n"
        judged.try_out(served.database, judged.written(tmp_path, asks * 2), "SELECT true")
        assert looks.call_count == number
        looks.reset_mock()


def test_a_virtual_column_that_old_code_does_not_know_is_no_expand(corpus_copy: Database, tmp_path: Path) -> None:
    if corpus_copy.version < 180_000:
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


def test_what_keeps_rows_apart_is_neither_taken_nor_put_off(corpus_copy: Database, tmp_path: Path) -> None:
    corpus_copy.execute(
        "ALTER TABLE tickets ADD CONSTRAINT ex_tickets_during EXCLUDE USING gist (during WITH &&);"
        "CREATE INDEX ix_tickets_during ON tickets USING gist (during)"
    )
    for statement, name in (
        ("tickets DROP CONSTRAINT ex_tickets_during", "ex_tickets_during"),
        ("bookings ADD UNIQUE USING INDEX ix_bookings_state DEFERRABLE", "ix_bookings_state"),
    ):
        assert name in said_of(corpus_copy, tmp_path, f'op.execute("ALTER TABLE {statement}")', EXPAND)


def test_each_rule_of_the_guard_has_a_danger() -> None:
    assert {case.rule for case in UNSAFE} - {NO_RULE} == {*RULES}
    in_a_contract = {case.rule for case in UNSAFE if case.phase == CONTRACT}
    assert {*REFUSES_LIVE} <= in_a_contract
