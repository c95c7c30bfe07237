"""Run one trial: one side of one scenario, on fresh servers, under load; and watch how long a table is locked."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2

from tools.bench.load import meanwhile
from tools.bench.release import revisions, seed
from tools.bench.release.seed import Servers, serving
from tools.bench.release.traffic import Answer, Plan, Traffic, Visitor, title

WARM_UP = 3.0  # seconds of load that are not measured
LEAD = 2.0  # seconds that are measured before the migration starts
TAIL = 3.0  # seconds that are measured after it has ended
REPORT = 8.0  # seconds that the other connection's transaction stays open
SAMPLE_EVERY = 0.002  # seconds between two looks at the locks
PROBE_EVERY = 0.002

HOLDERS = """
SELECT pid FROM pg_locks
WHERE relation = 'numbers'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND mode = 'AccessExclusiveLock' AND granted
"""
# The probe, like a request: read a row, change it. No page uses this table, so only the migration can block it.
READ = "SELECT value FROM numbers WHERE id = 17"
CHANGE = "UPDATE numbers SET seen = seen + 1 WHERE id = 17"


ORDER = ("baseline", *revisions.SIDES)


class Scenario(NamedTuple):
    name: str
    title: str
    window: float  # seconds that are measured; longer when the migration is not done by then
    behind_report: bool = False
    watched: bool = False
    before: str = ""  # SQL that gives the table the form from which it is changed
    wrong: str = ""  # a condition that is true of rows with a wrong value, after our side


SCENARIOS = (
    Scenario("add-column", "ADD COLUMN behind another connection's 8 s transaction", 14, behind_report=True),
    Scenario("backfill", "Fill a new column of every note", 50),
    Scenario("index", "CREATE INDEX on every note", 14),
    Scenario("not-null", "SET NOT NULL on twice as many rows", 14, watched=True),
    Scenario(
        "type",
        "smallint to integer, in every note",
        60,
        before="ALTER TABLE notes ALTER version TYPE smallint",
        wrong="version IS DISTINCT FROM version_shadow",
    ),
    Scenario(
        "computed", "A required column computed from every note", 60, wrong="length IS DISTINCT FROM length(content)"
    ),
    Scenario(
        "key",
        "The primary key of every note, from int4 to int8",
        60,
        before="ALTER TABLE notes ALTER id TYPE integer",
        wrong="id IS DISTINCT FROM id_shadow",
    ),
)


class Seen(NamedTuple):
    """Seconds."""

    lock_held: float  # longest time between the first and the last sample of one ACCESS EXCLUSIVE lock: lower bound
    lock_at_most: float  # from the sample before it to the sample after it: upper bound
    longest_gap: float  # between two samples
    longest_wait: float  # of the probe
    probes: int


@dataclass
class Trial:
    """Hold what was measured. Times in seconds from the beginning of the window."""

    scenario: str
    side: str  # baseline, naive or ours
    window: float
    answers: list[Answer]
    migration: tuple[float, float] | None = None
    exit_code: int | None = None
    log: str = ""
    lost: list[str] = field(default_factory=list)  # writes that were answered with success and are not in the table
    nulls: int | None = None
    wrong: int | None = None  # rows with a wrong value
    rows: int = 0
    seen: Seen | None = None


@dataclass(frozen=True)
class Stage:
    """Hold what all trials share."""

    prepared: Path
    folder: Path
    notes: int
    rate: float
    visitors: list[Visitor]

    def plan(self, servers: Servers, rate: float | None) -> Plan:
        return Plan(servers.web_port, self.visitors, self.notes, seed.USERS, rate)


def run(stage: Stage, scenario: Scenario, side: str) -> Trial:
    with ExitStack() as stack:
        servers = stack.enter_context(serving(stage.prepared, stage.folder))
        prepare(servers, scenario)
        migrates = side in revisions.SIDES
        folder = revisions.write(side, scenario.name, stage.folder, servers.environment) if migrates else None
        traffic = stack.enter_context(Traffic(stage.plan(servers, stage.rate)))
        time.sleep(WARM_UP)
        watch = Watch(servers.environment["DATABASE_URL"]) if scenario.watched else None
        stack.enter_context(watch.running() if watch else nullcontext())
        stack.enter_context(report(servers) if scenario.behind_report else nullcontext())
        begin = time.monotonic()
        trial = Trial(scenario.name, side, scenario.window, [])
        time.sleep(LEAD)
        if folder:
            migrate(trial, servers, folder, stage.folder / "migration.log", begin)
        wait_until(max(begin + scenario.window, time.monotonic() + TAIL if folder else 0))
        trial.window = time.monotonic() - begin
        answers = traffic.stop()
        trial.answers = [answer._replace(due=answer.due - begin) for answer in answers if answer.due >= begin]
        examine(trial, servers, answers, stage.notes)
        if side == "ours" and scenario.wrong and trial.exit_code == 0:
            [(trial.wrong,)] = servers.rows(f"SELECT count(*) FROM notes WHERE {scenario.wrong}")
    trial.seen = watch.seen() if watch else None  # its threads have ended
    return trial


def prepare(servers: Servers, scenario: Scenario) -> None:
    if scenario.before:
        servers.rows(scenario.before)
        servers.rows("VACUUM (ANALYZE) notes")


def migrate(trial: Trial, servers: Servers, folder: Path, log: Path, begin: float) -> None:
    start = time.monotonic()
    trial.exit_code = revisions.apply(trial.side, folder, servers.environment, log)
    trial.migration = (start - begin, time.monotonic() - begin)
    trial.log = log.read_text()


@contextmanager
def report(servers: Servers) -> Iterator[None]:
    """Read the notes on another connection and keep its transaction open, as a report or a backup does."""
    with closing(psycopg2.connect(servers.environment["DATABASE_URL"])) as connection:
        connection.cursor().execute("SELECT count(*) FROM notes WHERE user_id = 1")  # begins a transaction
        end = threading.Timer(REPORT, connection.rollback)
        end.start()
        yield
        end.join()


def wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def examine(trial: Trial, servers: Servers, answers: list[Answer], notes: int) -> None:
    """Check that every write that was answered with success is in the table."""
    promised = [answer for answer in answers if answer.status == 302]
    created = {title(answer.mark) for answer in promised if answer.kind == "create"}
    edited = {answer.mark for answer in promised if answer.kind == "edit"}
    titles = servers.rows("SELECT title FROM notes WHERE id > %s", (notes,))
    trial.lost += sorted(created - {title for (title,) in titles})
    changed = servers.rows("SELECT id FROM notes WHERE version = 2 AND id = ANY(%s)", (list(edited),))
    trial.lost += [f"note {note_id}" for note_id in sorted(edited - {note_id for (note_id,) in changed})]
    [(trial.rows,)] = servers.rows("SELECT count(*) FROM notes")
    if trial.scenario == "backfill" and trial.exit_code == 0:
        [(trial.nulls,)] = servers.rows("SELECT count(*) FROM notes WHERE length IS NULL")


def most(stage: Stage, seconds: float) -> float:
    """Return the maximum of requests a second: closed loop, each client sends its next request at once."""
    with serving(stage.prepared, stage.folder) as servers, Traffic(stage.plan(servers, None)) as traffic:
        time.sleep(WARM_UP + seconds)
        answers = traffic.stop()
    counted = [answer for answer in answers if answer.due >= answers[0].due + WARM_UP]
    return len(counted) / seconds


class Look(NamedTuple):
    moment: float
    is_held: bool


class Watch:
    """Sample the locks of the table `numbers`, and probe it, while the block runs."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._looks: list[Look] = []
        self._waits: list[float] = []

    def running(self) -> AbstractContextManager[None]:
        return meanwhile(partial(self._run, self._look), partial(self._run, self._probe))

    def _run(self, task: Callable[[Any], None], stopped: threading.Event) -> None:
        connection = psycopg2.connect(self._url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not stopped.is_set():
                task(cursor)
        connection.close()

    def _look(self, cursor: Any) -> None:
        cursor.execute(HOLDERS)
        self._looks.append(Look(time.monotonic(), bool(cursor.fetchall())))
        time.sleep(SAMPLE_EVERY)

    def _probe(self, cursor: Any) -> None:
        start = time.monotonic()
        cursor.execute(READ)
        cursor.execute(CHANGE)
        self._waits.append(time.monotonic() - start)
        time.sleep(PROBE_EVERY)

    def seen(self) -> Seen:
        gaps = (later[0] - earlier[0] for earlier, later in pairwise(self._looks))
        return Seen(*longest_hold(self._looks), max(gaps, default=0.0), max(self._waits), len(self._waits))


def longest_hold(looks: Sequence[Look]) -> tuple[float, float]:
    """Return a lower and an upper bound of the longest time that the lock was held."""
    held = at_most = 0.0
    first, free = None, looks[0].moment
    for look in looks:
        if look.is_held:
            first = look.moment if first is None else first
            held = max(held, look.moment - first)
        if look.is_held or first is not None:
            at_most = max(at_most, look.moment - free)
        if not look.is_held:
            first, free = None, look.moment
    return held, at_most
