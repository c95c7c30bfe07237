"""`flask restore-drill` is green for a dump of the live database, and red for whatever is missing in it or broken."""

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from app import create_app, storage
from app.accounts import service as accounts
from app.backups import commands
from app.backups.service import Restore
from app.extensions import db
from app.storage import Bucket
from config import TestingConfig
from tests.backups.conftest import pg_dump
from tests.conftest import PASSWORD
from tests.databases import Environment, at_head, copied_database, run, template

# In the past, since what is written in the second of the dump is not looked for in it. Note 9 is an imported one.
ROWS = """
INSERT INTO notes (user_id, title, content, created_at)
SELECT 1, 'note ' || n, 'text', now() - CASE WHEN n = 9 THEN interval '9 years' ELSE interval '9 minutes' END
FROM generate_series(1, 20) n;
INSERT INTO recovery_codes (user_id, code_hash) SELECT 1, 'hash' FROM generate_series(1, 10);
INSERT INTO note_shares (user_id, note_id, token, created_at) SELECT 1, 5, 'token', now() - interval '1 minute';
UPDATE users SET created_at = now() - interval '1 day'
"""
# After the dump: a note that somebody writes, one that comes back from an export, a share, a deletion, another photo.
SINCE = """
INSERT INTO notes (user_id, title, content, created_at)
VALUES (1, 'new', '', now() + interval '1 minute'), (1, 'imported', '', now() - interval '9 years');
INSERT INTO note_shares (user_id, note_id, token, created_at) SELECT 1, 6, 'later', now() + interval '1 minute';
DELETE FROM notes WHERE id = 20;
UPDATE users SET image_url = 'https://photos/new' WHERE id = 2
"""
# What another database is without: three notes, whose figures still count them, the last code, a share, a table.
PLANTED = """
ALTER TABLE notes DISABLE TRIGGER USER; DELETE FROM notes WHERE id IN (1, 9, 19); ALTER TABLE notes ENABLE TRIGGER USER;
DELETE FROM recovery_codes WHERE id = 10;
DELETE FROM note_shares;
DROP TABLE passkeys;
SELECT setval('users_id_seq', 1, false)
"""
YEAR = 37 + 1  # bytes into the head of a dump: the year that it was made in (pg_backup_archiver.c, WriteHead)


class Live(NamedTuple):
    """Hold a live database with rows and photos, its app, a dump of it, and a template of it as it was then."""

    app: Flask
    dump: Path
    then: str


def dumped(environment: Environment, file: Path, *options: str) -> Path:
    return pg_dump(environment["DATABASE_URL"], file, "--no-owner", *options, version=18)


@pytest.fixture(scope="module")
def live(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    prefix = {"S3_PREFIX": secrets.token_hex(4)}

    def fill(environment: Environment) -> None:
        with create_app(TestingConfig(environment | prefix)).app_context():
            for name in ("alice", "bob"):
                user = accounts.sign_up(f"{name}@example.com", name, PASSWORD)
                user.image_url = storage.put(storage.new_key("photos", "webp"), b"a photo", "image/webp")
            db.session.commit()
        run(environment["DATABASE_URL"], ROWS)

    then = template(server_environment, f"filled_{secrets.token_hex(4)}", fill, at_head(server_environment))
    with copied_database(server_environment, then) as environment:
        dump = dumped(environment, tmp_path_factory.mktemp("dump") / "night.dump")
        run(environment["DATABASE_URL"], SINCE)
        app = create_app(TestingConfig(environment | prefix))
        # Other tests have scratch databases at the same time.
        app.extensions["release"] = app.extensions["release"]._replace(name=f"drill_{secrets.token_hex(4)}")
        yield Live(app, dump, then)


def drill(live: Live, dump: Path) -> Result:
    """Run the drill, which leaves no scratch database."""
    result = live.app.test_cli_runner().invoke(args=["restore-drill", str(dump)])
    mine = text("SELECT count(*) FROM pg_database WHERE starts_with(datname, :name)")
    with live.app.app_context():
        assert db.session.scalar(mine, {"name": live.app.extensions["release"].name}) == 0
    return result


def losses(result: Result) -> list[str]:
    assert result.exit_code == 1, result.output
    return [line.removeprefix("LOST: ") for line in result.stderr.splitlines()]


def test_an_error_of_a_database_is_told_in_a_sentence(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_restore: Restore) -> None:
        db.session.execute(text("SELECT FROM nowhere"))

    with app.app_context(), pytest.raises(SystemExit, match="1"):
        commands._tell_losses(Path(__file__), fails)
    assert capsys.readouterr() == ("", 'NOT RESTORED: A database failed: relation "nowhere" does not exist\n')


def test_it_ends_in_order_when_it_is_terminated(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    """So that what it has begun is cleaned up behind it."""
    before = signal.getsignal(signal.SIGTERM)
    with app.app_context(), pytest.raises(SystemExit, match="143"):
        commands._tell_losses(Path(__file__), lambda _restore: signal.raise_signal(signal.SIGTERM))
    assert (signal.getsignal(signal.SIGTERM), capsys.readouterr()) == (before, ("", ""))


def test_nothing_is_lost_in_a_dump_of_the_live_database(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    result = drill(live, live.dump.parent)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert "notes: 20 rows, 0 lost, 1 gone since, 2 new since" in result.output
    assert "note_shares: 1 rows, 0 lost, 0 gone since, 1 new since" in result.output
    assert "photos: 2 in the dump, 0 of them replaced or deleted since" in result.output
    assert result.output.endswith("Nothing is lost: this dump can be restored.\n")
    unreachable = Bucket({**live.app.config, "S3_ENDPOINT_URL": "http://127.0.0.1:1"})
    monkeypatch.setitem(live.app.extensions, "bucket", unreachable)
    [loss] = losses(drill(live, live.dump))
    assert loss.startswith("The photos were not compared, because the bucket does not answer: list_objects_v2 failed")


def test_each_loss_is_a_sentence(live: Live, server_environment: Environment, tmp_path: Path) -> None:
    with copied_database(server_environment, live.then) as copy:
        run(copy["DATABASE_URL"], PLANTED)
        dump = dumped(copy, tmp_path / "planted.dump")
    with live.app.app_context():
        for page in storage.list_objects("photos"):  # of Alice, who shows hers still, and of Bob, who does not
            for key in page:
                storage.delete(key)
    assert losses(drill(live, dump)) == [
        "The dump has no table passkeys.",
        "note_shares: 1 rows that are older than the dump are not in it, ids 1.",
        "notes: 3 rows that are older than the dump are not in it, ids 1, 9, 19.",
        "recovery_codes: 1 rows that are older than the dump are not in it, ids 10.",
        "1 photos that are shown have no object in the bucket: accounts 1.",
        "After the restore: The sequence users_id_seq gives 1, and users.id is at 2: inserts fail.",
        "After the restore: The table passkeys is in the models and not in the database.",
        "The kept figures of 1 accounts are not what their rows add up to.",
    ]


def test_a_dump_of_another_database_is_refused(live: Live, server_environment: Environment, tmp_path: Path) -> None:
    with copied_database(server_environment, live.then) as other:
        run(other["DATABASE_URL"], "UPDATE schema_ledger SET applied_at = applied_at + interval '1 hour'")
        staging = dumped(other, tmp_path / "staging.dump")
        another = dumped(other, tmp_path / "another.dump", "--table=alembic_version")
        foreign = dumped(other, tmp_path / "foreign.dump", "--table=users")
    for dump in (staging, another):
        [loss] = losses(drill(live, dump))
        assert loss == "The dump is of another database than DATABASE_URL: no revision ran in both at the same time."
    [loss] = losses(drill(live, foreign))
    assert loss == "The dump holds no revision: it is another application's, or of an empty database."


def test_a_damaged_dump_is_refused(live: Live, tmp_path: Path) -> None:
    whole = live.dump.read_bytes()
    end = len(whole) - 300  # among the rows
    torn, broken, old = tmp_path / "torn", tmp_path / "broken", tmp_path / "old"
    torn.write_bytes(whole[:end])
    [loss] = losses(drill(live, torn))
    assert loss.startswith("NOT RESTORED: The dump cannot be restored: could not read from input file")
    broken.write_bytes(whole[:end] + bytes(64) + whole[end + 64 :])
    [loss] = losses(drill(live, broken))
    assert loss.startswith("NOT RESTORED: The dump cannot be restored: ")
    old.mkdir()
    (old / "last.dump").write_bytes(whole[:YEAR] + bytes([whole[YEAR] - 1]) + whole[YEAR + 1 : end])
    assert losses(drill(live, old))[0].endswith(" hours old; the job that makes them has stopped.")


def test_what_is_no_dump_is_refused(live: Live, tmp_path: Path) -> None:
    nothing, script = tmp_path / "nothing", tmp_path / "script"
    script.write_text("CREATE TABLE notes ();\n")
    [loss] = losses(drill(live, nothing))
    assert loss == f"NOT RESTORED: There is no file or folder {nothing}. The live database is as it was."
    [loss] = losses(drill(live, tmp_path))
    assert loss.startswith(f"NOT RESTORED: No file of {tmp_path} is named *.dump.")
    [loss] = losses(drill(live, script))
    assert loss.startswith(f"NOT RESTORED: {script} cannot be read: input file does not appear to be a valid archive")


def test_a_scratch_server_that_does_not_answer_is_named(live: Live) -> None:
    live.app.config["SCRATCH_DATABASE_URI"] = "postgresql://drill@127.0.0.1:1/postgres"
    result = drill(live, live.dump)
    live.app.config["SCRATCH_DATABASE_URI"] = None
    assert result.exit_code == 1
    assert "Connection refused" in result.stderr
