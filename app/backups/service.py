"""Restore a dump, compare it with the live database and the bucket, and let it take the place of the live one.

A backup that nobody has restored is a hope: the drill does all of it but the last. docs/backups.md says what it proves.
"""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ArgumentError, OperationalError

from app.backups import comparison, dump_file, swap
from app.backups.dump_file import Dump, NotRestored
from app.database.errors import server_message
from app.extensions import db
from app.storage import StorageUnavailable
from online_migrations.doctor import ERROR, diagnose
from online_migrations.scratch import Deadline, direct_connection, direct_engine, migration_lock, scratch_database
from online_migrations.state import (
    AHEAD_CONTRACT,
    AT_HEAD,
    SchemaState,
    applied_revisions,
    locale_weakness,
    read_schema_state,
)

# The newest dump of a folder has to be younger: a nightly job that stopped is the most frequent way to lose data.
OLDEST = timedelta(hours=26)
RELEASE_SECONDS = 600  # that a swap waits for a release that is under way
CLOCK_SKEW = timedelta(minutes=5)  # of two machines that both keep time
WHERE_TO_RUN = "Set SCRATCH_DATABASE_URL to a PostgreSQL server of your own, whose role may create databases."
AFTERWARDS = "flask db upgrade; flask release doctor; flask acknowledge-restore"
STATES = {"behind", "ahead", "ahead-contract"}  # diagnoses that a later `flask db upgrade`, or newer code, answers

_SERVER = text("SELECT current_setting('server_version_num')::int / 10000".replace("::", r"\:\:"))
_SIZE = text("SELECT pg_database_size(current_database())")
_MOST_WAL = text("SELECT pg_size_bytes(current_setting('max_wal_size'))")
# One row to a page of 8 kB, which is 10 % full then, and no WAL. A full disk is an error here; while WAL is
# written it would end the server.
_FILL_DISK = text(
    "CREATE UNLOGGED TABLE room WITH (fillfactor = 10) AS SELECT repeat('x', 800) FROM generate_series(1, :pages)"
)
# To read waits for nobody but who alters a table, and keeps nobody waiting who only uses it.
_READ_ONLY = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL lock_timeout = '30s'")
_HOLDS = text(
    "SELECT to_regprocedure('recount_figures(bigint)') IS NOT NULL AS figures, EXISTS (SELECT FROM pg_attribute"
    " WHERE attrelid = to_regclass('users') AND attname = 'image_url' AND NOT attisdropped) AS photos"
)
_RECOUNT = text(
    "SELECT count(*) FROM (SELECT recount_figures(id) AS wrong FROM users OFFSET 0) counted WHERE wrong > 0"
)


class Restore:
    """Restore one dump, or the newest of a folder. `losses` holds a sentence for each thing that is wrong with it.

    Each of the three ways raises NotRestored, ReleaseError or DBAPIError where the live database stays as it was.
    """

    def __init__(self, place: Path, say: Callable[[str], None], imported: Collection[str]) -> None:
        self._place = place
        self._say = say
        self._imported = imported  # the tables into which people import rows
        self._began = time.monotonic()
        self.losses: list[str] = []

    def drill(self, scratch_url: str | None) -> None:
        """Restore into a scratch database, on the server of this URL or of the live one, and drop it."""
        path = dump_file.newest(self._place)
        with scratch_database(WHERE_TO_RUN, scratch_url) as scratch:
            dump, version = self._read(path, scratch)
            self._check_age(dump)
            self._restore(dump, scratch, version)
            self._prove(dump, scratch)

    def replace(self) -> None:
        """Restore beside the live database, and swap the two if nothing is lost."""
        path = dump_file.newest(self._place)
        with direct_connection(direct_engine()) as connection:
            live = swap.inspect(connection)
        for kept in live.kept:
            self._say(f"{kept} is kept of an earlier restore. {_how_to_drop(kept)}")
        with scratch_database(swap.BESIDE) as beside:
            dump, version = self._read(path, beside)
            self._restore(dump, beside, version)
            with (
                direct_connection(direct_engine()) as connection,
                migration_lock(connection, Deadline(RELEASE_SECONDS)),
            ):
                state = self._prove(dump, beside)
                if not self._may_serve(state):
                    return
                left = list(swap.carry_over(connection, beside))
            kept = swap.swap(live.name, str(beside.url.database))
        self._say_step(f"swapped: {live.name} is the restored database, and {kept} the one that was live")
        self._say_what_is_left(left)
        self._say(f"next: {AFTERWARDS}; restart the web and the worker. {_how_to_drop(kept)}")

    def into(self, url: str) -> None:
        """Restore into an empty database, which stays, also with losses: whoever gave it decides."""
        try:
            target = direct_engine(url=url)
        except ArgumentError:
            raise NotRestored("--into has to look like postgres://user:password@host:5432/database.") from None
        path, name = dump_file.newest(self._place), target.url.database
        with direct_connection(target) as empty, direct_connection(direct_engine()) as live:
            if comparison.tables(empty):
                raise NotRestored(f"{name} holds tables; give an empty database.")
            if locale_weakness(empty) and not locale_weakness(live):
                raise NotRestored(
                    f"{name} has another encoding or locale than the live database, and a search would not find É by é:"
                    " make it with createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8."
                )
        dump, version = self._read(path, target)
        self._restore(dump, target, version)
        self._prove(dump, target)
        with direct_connection(direct_engine()) as live:
            self._say_what_is_left(swap.missing(live, target))
        self._say(f"next: set DATABASE_URL to what you gave as --into, {name}; {AFTERWARDS}.")

    def _say_what_is_left(self, statements: list[str]) -> None:
        if statements:
            lines = "".join(f"\n          {statement}" for statement in statements)
            self._say(f"The database that was live has, and the restored one has not:{lines}")

    def _say_step(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {what}")

    def _read(self, path: Path, target: Engine) -> tuple[Dump, int]:
        with direct_connection(target) as connection:
            version = int(connection.scalar(_SERVER))
        dump = dump_file.read(path, version)
        self._say(f"{path}, made at {dump.made_at.isoformat(' ')} of a PostgreSQL {dump.server}")
        return dump, version

    def _check_age(self, dump: Dump) -> None:
        age = datetime.now(UTC) - dump.made_at
        if age < -CLOCK_SKEW:
            self.losses.append("The dump says that it was made in the future: run pg_dump with TZ=UTC.")
        elif self._place.is_dir() and age > OLDEST:
            hours = age // timedelta(hours=1)
            self.losses.append(f"The newest dump is {hours} hours old; the job that makes them has stopped.")

    def _restore(self, dump: Dump, target: Engine, version: int) -> None:
        _require_room(target, dump.path)
        dump_file.restore(dump, target.url, version)
        with target.connect() as connection:
            connection.execute(text("ANALYZE"))
            connection.commit()
        self._say_step(f"restored on a PostgreSQL {version} by pg_restore {dump.program[0]}; every constraint holds")

    def _prove(self, dump: Dump, target: Engine) -> SchemaState:
        """Look for what is missing in a restored dump."""
        if dump_file.LARGE_OBJECTS.search(dump.contents):
            self.losses.append("The dump holds large objects, which no schema has, and which are not restored.")
        with target.connect() as restored, direct_connection(direct_engine()) as live:
            live.execute(_READ_ONLY)
            state = read_schema_state(restored)
            if not self._is_ours(live, restored, state):
                return state
            if comparison.tables(live):
                self._compare(live, restored, dump)
            else:
                self._say("          the live database is empty: no row or photo of it can be missing")
            live.rollback()  # what follows takes long, and a snapshot keeps VACUUM from its work
            self._check_schema(restored, state)
            self._check_figures(restored)
        return state

    def _may_serve(self, state: SchemaState) -> bool:
        """Tell if nothing is lost. Raises: NotRestored: this code does not run on the restored schema."""
        if state.name == AHEAD_CONTRACT:
            runs = f"The dump is at {state.database_revision}, on which this code does not run"
            raise NotRestored(f"{runs}: deploy the code that made it first.")
        if self.losses:
            self._say(f"Nothing was changed. To have this dump with its losses: {swap.BESIDE}")
        return not self.losses

    def _is_ours(self, live: Connection, restored: Connection, state: SchemaState) -> bool:
        """Tell a dump of the live database from others by the ledger: each one ran a revision at a time of its own."""
        if state.database_revision is None:
            self.losses.append("The dump holds no revision: it is another application's, or of an empty database.")
            return False
        if applied_revisions(live).items() & applied_revisions(restored).items() or not comparison.tables(live):
            return True
        self.losses.append(
            "The dump is of another database than DATABASE_URL: no revision ran in both at the same time."
        )
        return False

    def _compare(self, live: Connection, restored: Connection, dump: Dump) -> None:
        absent = sorted(comparison.tables(live).keys() - comparison.tables(restored).keys())
        if absent and applied_revisions(live).keys() <= applied_revisions(restored).keys():
            self.losses.append(f"The dump has no table {', '.join(absent)}.")
        for line, loss in comparison.compare(live, restored, dump.made_at, self._imported):
            self._say(f"          {line}")
            self.losses += filter(None, [loss])
        self._say_step("compared the rows")
        self._compare_photos(live, restored)

    def _compare_photos(self, live: Connection, restored: Connection) -> None:
        if not restored.execute(_HOLDS).one().photos:
            self._say("          the dump is older than the photos")
            return
        try:
            line, loss = comparison.compare_photos(live, restored)
        except StorageUnavailable as error:
            self.losses.append(f"The photos were not compared, because the bucket does not answer: {error}")
            return
        self._say_step(line)
        self.losses += filter(None, [loss])

    def _check_schema(self, restored: Connection, state: SchemaState) -> None:
        restored.commit()
        if weakness := locale_weakness(restored):
            self._say(f"          {weakness}")
        errors = [one for one in diagnose(restored, db.metadata) if one.severity == ERROR]
        # The models of newer code answer for what the database has beyond ours.
        lost = [one for one in errors if one.rule not in STATES and not one.rule.startswith("extra-")]
        self.losses += [f"After the restore: {one.what}" for one in lost]
        self._say_step(f"schema: {state.name}, at {state.database_revision}")
        if state.name != AT_HEAD:
            self._say(
                "          a restore has to be followed by: flask db upgrade, of the code that made the newest revision"
            )

    def _check_figures(self, restored: Connection) -> None:
        """Recount what triggers keep of notes, todos, results and tags: rows that are lost do not add up any more."""
        if not restored.execute(_HOLDS).one().figures:
            self._say("          the dump is older than the figures")
            return
        wrong = restored.scalar(_RECOUNT)
        if wrong:
            self.losses.append(f"The kept figures of {wrong} accounts are not what their rows add up to.")
        self._say_step("recounted the figures of every account")


def _require_room(target: Engine, dump: Path) -> None:
    """Take the disk that a restore is going to need, and give it back: the live database may be on the same one."""
    with direct_connection(direct_engine()) as live:
        size = int(live.scalar(_SIZE)) + dump.stat().st_size  # the latter where the live one is empty
    with direct_connection(target) as connection:
        needed = size + min(size, int(connection.scalar(_MOST_WAL)))
        try:
            connection.execute(_FILL_DISK, {"pages": needed // 8192})
        except OperationalError as error:
            raise NotRestored(
                f"A restore needs {needed // 2**20:,} MB of the server's disk ({server_message(error)})."
            ) from error
        finally:
            connection.rollback()


def _how_to_drop(kept: str) -> str:
    quoted = '"' + kept.replace('"', '""') + '"'
    return f"When nothing of it is missed: psql \"$DATABASE_URL\" -c 'DROP DATABASE {quoted}'"
