"""The restore drill: restore a dump into a scratch database, and compare it with the live database and the bucket.

A backup that nobody has restored is a hope. docs/backups.md says what a drill proves and what it does not.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from app.backups import dump_file, photos, rows
from app.backups.dump_file import Dump
from app.backups.rows import TableReport
from app.extensions import db
from app.release import doctor, ledger
from app.release.connection import direct_connection, direct_engine
from app.release.doctor.diagnosis import ERROR
from app.release.schema_state import AT_HEAD, SchemaState, read_schema_state
from app.release.scratch import scratch_database
from app.storage import StorageUnavailable

# The newest dump of a folder has to be younger: a nightly job that stopped is the most frequent way to lose data.
OLDEST = timedelta(hours=26)
CLOCK_SKEW = timedelta(minutes=5)  # of two machines that both keep time
WHERE_TO_RUN = "Set SCRATCH_DATABASE_URL to a PostgreSQL server of your own, whose role may create databases."
STATES = {"behind", "ahead", "ahead-contract"}  # diagnoses that a later `flask db upgrade`, or newer code, answers

_SERVER = text("SELECT current_setting('server_version_num')::int / 10000".replace("::", r"\:\:"))
_ANALYZE = text("ANALYZE")
_READ_ONLY = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_APPLIED = text("SELECT revision, applied_at FROM schema_ledger")
_RECOUNT = text(
    "SELECT count(*) FROM (SELECT recount_figures(id) AS wrong FROM users OFFSET 0) counted WHERE wrong > 0"
)

Say = Callable[[str], None]


class Drill:
    """One drill. `losses` holds a sentence for each thing that is wrong.

    Args:
        place: a dump, or a folder of dumps, of which the newest is taken.
        scratch_url: of the server of the scratch database; None: the live one's.
        say: takes a line of the report.
    """

    def __init__(self, place: Path, scratch_url: str | None, say: Say) -> None:
        self._place = place
        self._scratch_url = scratch_url
        self._say = say
        self._began = time.monotonic()
        self.losses: list[str] = []

    def run(self) -> None:
        """
        Raises:
            BadDump: the dump cannot be restored. Nothing was compared.
            ReleaseError: the live database or the scratch server does not answer, or no database can be made.
        """
        dump = dump_file.read(dump_file.newest(self._place))
        self._check_age(dump)
        with scratch_database(WHERE_TO_RUN, self._scratch_url) as scratch:
            self._restore(dump, scratch)
            with scratch.connect() as restored, direct_connection(direct_engine()) as live:
                live.execute(_READ_ONLY)
                state = read_schema_state(restored)
                if self._is_ours(live, restored, state):
                    self._compare(live, restored, dump)
                    live.rollback()  # what follows takes long, and a snapshot keeps VACUUM from its work
                    self._check_schema(restored, state)
                    self._check_figures(restored)

    def _say_step(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {what}")

    def _check_age(self, dump: Dump) -> None:
        age = datetime.now(UTC) - dump.made_at
        self._say(f"{dump.path}, made at {dump.made_at.isoformat(' ')} of a PostgreSQL {dump.server}")
        if age < -CLOCK_SKEW:
            self.losses.append("The dump says that it was made in the future: run pg_dump with TZ=UTC.")
        elif self._place.is_dir() and age > OLDEST:
            self.losses.append(
                f"The newest dump is {age // timedelta(hours=1)} hours old; the job that makes them has stopped."
            )

    def _restore(self, dump: Dump, scratch: Engine) -> None:
        with scratch.connect() as connection:
            version = connection.scalar(_SERVER)
        dump_file.restore(dump, scratch.url, version)
        with scratch.connect() as connection:
            connection.execute(_ANALYZE)
            connection.commit()
        self._say_step(f"restored on a PostgreSQL {version}; every constraint holds")

    def _is_ours(self, live: Connection, restored: Connection, state: SchemaState) -> bool:
        """Whether it is a dump of the live database. The ledger tells: each one ran a revision at a time of its own."""
        if state.database_revision is None:
            self.losses.append("The dump holds no revision: it is another application's, or of an empty database.")
            return False
        if _applied(live) & _applied(restored):
            return True
        self.losses.append(
            "The dump is of another database than DATABASE_URL: no revision ran in both at the same time."
        )
        return False

    def _compare(self, live: Connection, restored: Connection, dump: Dump) -> None:
        absent = sorted(rows.tables(live).keys() - rows.tables(restored).keys())
        if absent and ledger.read_entries(live).keys() <= ledger.read_entries(restored).keys():
            self.losses.append(f"The dump has no table {', '.join(absent)}.")
        for report in rows.compare(live, restored, dump.made_at):
            self._say(_line(report))
            if report.lost:
                self.losses.append(_rows_lost(report))
        self._say_step("compared the rows")
        self._compare_photos(live, restored)

    def _compare_photos(self, live: Connection, restored: Connection) -> None:
        try:
            found = photos.compare(live, restored)
        except StorageUnavailable as error:
            self.losses.append(f"The photos were not compared, because the bucket does not answer: {error}")
            return
        self._say_step(f"photos: {found.shown} in the dump, {found.replaced} of them replaced or deleted since")
        if found.lost:
            accounts = _listed(found.first_lost, found.lost)
            self.losses.append(f"{found.lost} photos that are shown have no object in the bucket: accounts {accounts}.")

    def _check_schema(self, restored: Connection, state: SchemaState) -> None:
        restored.commit()
        errors = [one for one in doctor.diagnose(restored, db.metadata) if one.severity == ERROR]
        self.losses += [f"After the restore: {one.what}" for one in errors if one.rule not in STATES]
        self._say_step(f"schema: {state.name}, at {state.database_revision}")
        if state.name != AT_HEAD:
            self._say(
                "          a restore has to be followed by: flask db upgrade, of the code that made the newest revision"
            )

    def _check_figures(self, restored: Connection) -> None:
        """Of notes, todos, results and tags, kept by triggers: rows that are lost do not add up any more."""
        wrong = restored.scalar(_RECOUNT)
        if wrong:
            self.losses.append(f"The kept figures of {wrong} accounts are not what their rows add up to.")
        self._say_step("recounted the figures of every account")


def _applied(connection: Connection) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in connection.execute(_APPLIED)} if ledger.exists(connection) else set()


def _line(report: TableReport) -> str:
    line = f"          {report.name}: {report.dumped:,} rows"
    if report.lost is None:
        return line
    return f"{line}, {report.lost:,} lost, {report.gone:,} gone since, {report.new:,} new since"


def _rows_lost(report: TableReport) -> str:
    return (
        f"{report.name}: {report.lost} rows that are older than the dump are not in it, ids"
        f" {_listed(report.first_lost, report.lost or 0)}."
    )


def _listed(first: tuple[int, ...], count: int) -> str:
    more = count - len(first)
    return ", ".join(map(str, first)) + (f" and {more:,} more" if more else "")
