"""The ledger says what the database's revisions are, whichever command moved it."""

from tests.release.checkout import Checkout
from tests.release.sessions import Sessions


def write_history(checkout: Checkout) -> None:
    checkout.write_revision("0001", "op.execute('CREATE TABLE numbers (n int)')", downgrade="op.drop_table('numbers')")
    checkout.write_revision("0002", "op.execute('INSERT INTO numbers VALUES (2)')", phase="contract")
    checkout.write_revision("0003", "op.execute('INSERT INTO numbers VALUES (3)')", phase=None)


def test_it_follows_upgrade_downgrade_and_stamp(blank: Checkout, sessions: Sessions) -> None:
    write_history(blank)
    for command, expected in (
        (("upgrade", "0002"), ["0001 expand", "0002 contract"]),
        (("upgrade",), ["0001 expand", "0002 contract", "0003 contract"]),
        (("downgrade", "0001"), ["0001 expand"]),
        (("stamp", "head"), ["0001 expand", "0002 contract", "0003 contract"]),
        (("stamp", "0002"), ["0001 expand", "0002 contract"]),
        (("downgrade", "base"), []),
    ):
        ended = blank.flask("db", *command)
        assert ended.returncode == 0, ended.stderr
        assert sessions.ledger() == expected, command
        assert sessions.revision() == [row.split()[0] for row in expected[-1:]]


def test_it_names_the_step_before(blank: Checkout, sessions: Sessions) -> None:
    write_history(blank)
    assert blank.flask("db", "upgrade").returncode == 0
    before = "SELECT array_to_string(down_revisions, ',') FROM schema_ledger ORDER BY revision"
    assert sessions.column(before) == ["", "0001", "0002"]


def test_a_step_that_fails_leaves_neither_its_work_nor_its_row(blank: Checkout, sessions: Sessions) -> None:
    write_history(blank)
    blank.write_revision("0002", "op.execute('INSERT INTO numbers VALUES (2)'); op.execute('SELECT 1 / 0')")
    assert blank.flask("db", "upgrade").returncode == 1
    assert sessions.ledger() == ["0001 expand"]
    assert sessions.revision() == ["0001"]
    assert sessions.scalar("SELECT count(*) FROM numbers") == 0


def test_the_row_is_written_with_the_version_or_not_at_all(blank: Checkout, sessions: Sessions) -> None:
    """A ledger that cannot be written takes the step with it."""
    write_history(blank)
    assert blank.flask("db", "upgrade", "0001").returncode == 0
    sessions.execute("ALTER TABLE schema_ledger ADD CHECK (revision <> '0002')")
    assert blank.flask("db", "upgrade").returncode == 1
    assert sessions.revision() == ["0001"]
    assert sessions.ledger() == ["0001 expand"]
    assert sessions.scalar("SELECT count(*) FROM numbers") == 0
