"""A primary and its follower: two PostgreSQL servers with streaming replication, in folders of a test's own.

And a standby without a primary, as readers meet it during a failover: it may be read, and takes no changes.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.databases import run
from tests.servers import folder_for_postgres
from tests.waiting import wait_until
from tools.dev import ports, postgres
from tools.dev.processes import Child

# The superuser pauses replay and promotes; he may sign in without a password, here alone.
ACCESS = "host all postgres 127.0.0.1/32 trust\nhost replication semicircle 127.0.0.1/32 scram-sha-256\n"
# A query that stands in the way of replay is cancelled at once.
SETTINGS = "max_standby_streaming_delay = 0\n"
DATABASE = "semicircle"


@dataclass
class Pair:
    folder: Path
    primary_port: int
    follower_port: int
    primary: Child
    follower: Child = field(init=False)

    @property
    def urls(self) -> dict[str, str]:
        ports = {"DATABASE_URL": self.primary_port, "FOLLOWER_DATABASE_URL": self.follower_port}
        return {name: postgres.url(port) for name, port in ports.items()}

    def start_follower(self) -> None:
        self.follower = postgres.start(self.folder / "follower", self.follower_port, durable=False)

    def restart_follower(self, **settings: str) -> None:
        """Restart it with settings of its server, such as recovery_min_apply_delay="5s"."""
        with (self.folder / "follower/postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.follower.stop()
        self.start_follower()

    def kill_follower(self) -> None:
        """Kill it by SIGKILL. Its other processes end when they see that the first one is gone."""
        self.follower.process.kill()
        self.follower.process.wait()

    def on_primary(self, statement: str) -> list[tuple[Any, ...]]:
        return rows(self.primary_port, statement)

    def on_follower(self, statement: str) -> list[tuple[Any, ...]]:
        return rows(self.follower_port, statement)

    def pause(self) -> None:
        """Replay nothing more: the follower lags until `resume`."""
        self.on_follower("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.on_follower("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], "it pauses")

    def resume(self) -> None:
        self.on_follower("SELECT pg_wal_replay_resume()")
        self.wait_until_replayed()

    def wait_until_replayed(self) -> None:
        # Flushed with all that was committed before, which this server otherwise does when it has the time.
        self.on_primary("SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'tests', '')")
        [(written,)] = self.on_primary("SELECT pg_current_wal_flush_lsn()")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{written}'"
        wait_until(lambda: self.on_follower(replayed) == [(True,)], "the follower has replayed it")


def rows(port: int, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement as the superuser, in a session of its own."""
    return run(f"postgresql://postgres@127.0.0.1:{port}/{DATABASE}", statement)


@contextmanager
def replicated() -> Iterator[Pair]:
    """Yield an empty database, and its follower."""
    with folder_for_postgres() as folder:
        primary_port, follower_port = ports.find_free(2)
        primary = postgres.start(folder / "primary", primary_port, durable=False, may_create_databases=True)
        pair = Pair(folder, primary_port, follower_port, primary)
        try:
            access = folder / "primary/pg_hba.conf"
            access.write_text(ACCESS + access.read_text())  # the first line that fits counts
            os.kill(primary.process.pid, signal.SIGHUP)
            wait_until(lambda: _can_sign_in(primary_port), "the primary has read pg_hba.conf")
            _copy(pair)
            pair.start_follower()
            try:
                yield pair
            finally:
                pair.follower.stop()
        finally:
            primary.stop()


def _can_sign_in(port: int) -> bool:
    try:
        return rows(port, "SELECT 1") == [(1,)]
    except psycopg2.OperationalError:
        return False


def _copy(pair: Pair) -> None:
    """Run pg_basebackup, which also writes down how the copy follows."""
    target = pair.folder / "follower"
    target.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(target, postgres.owner(), -1)
    subprocess.run(
        [
            *(str(postgres.programs() / "pg_basebackup"), "--pgdata", str(target), "--write-recovery-conf"),
            *("--dbname", postgres.url(pair.primary_port), "--checkpoint", "fast", "--no-sync"),
        ],
        cwd=pair.folder,
        check=True,
        **postgres.popen_options(),
    )
    with (target / "postgresql.auto.conf").open("a") as file:
        file.write(SETTINGS)


def make_standby(directory: Path) -> None:
    """Have the server on these data, which is stopped, start as a standby from now on."""
    signal = directory / "standby.signal"
    signal.touch()
    if os.geteuid() == 0:
        os.chown(signal, postgres.owner(), -1)  # PostgreSQL opens it for writing


def make_primary(directory: Path) -> None:
    """Undo `make_standby`; the server is stopped again."""
    (directory / "standby.signal").unlink()
