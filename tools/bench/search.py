"""How long a page of a search takes for a reader who has 50,000 notes among 500,000.

Through the service, with all that a page shows: the hits, their number, the figures and tags beside them. Against the
same search by LIKE alone, which looks at every note of the reader. Then what the indexes take: their size, and the time
of an INSERT with and without the one of initial consonants. The notes are made before the indexes, which the last
revisions build; that takes some minutes. Of several rounds the best one counts, since others may use the machine too.
Run: .venv/bin/python -m tools.bench.search
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

import flask_migrate
from sqlalchemy import text

from app import create_app
from app.dev import ports, postgres
from app.extensions import db
from app.keyset import Cursor
from app.notes import listing
from app.notes.cursor import START
from app.notes.search import Search
from config import DevelopmentConfig

NOTES = 500_000
READERS = 10  # who have them in equal parts, mixed as they were written
ROUNDS = 5
RUNS = 40  # in a round
SCANS = 5
BATCHES_OF_INSERTS = 20
SEARCHES = {
    "no search": "",
    "often, 다": "다",
    "rarely, 묽": "묽",
    "never, 힣": "힣",
    "in letters, zebra": "zebra",
    "two words": "다 반달",
    "initials, often, ㄱㅈ": "ㄱㅈ",
    "initials, rarely, ㅁㅇ": "ㅁㅇ",
    "initials, never, ㅃㅁㄸ": "ㅃㅁㄸ",
    "one initial, ㄱ": "ㄱ",
    "one initial, never, ㅃ": "ㅃ",
    "mixed, 감ㅈ": "감ㅈ",
    "corrected, 감쟈": "감쟈",
    "corrected, 상현댤은 멸치": "상현댤은 멸치",
    "corrected, 묽운": "묽운",
    "nothing near, 뷁뷁": "뷁뷁",
    "nothing near, long": "internatioxalqzn",
    "a tag": "#책",
}

LIKE_FINDS = {
    what: SEARCHES[what] for what in ("often, 다", "rarely, 묽", "never, 힣", "in letters, zebra", "two words")
}

BEFORE_THE_INDEX = "0029"  # the revision
LIKE = """
SELECT id FROM notes WHERE user_id = :owner AND deleted_at IS NULL AND tags @> CAST(:tags AS text[])
  AND title || E'\\n' || content LIKE ALL (CAST(:patterns AS text[]))
  AND title || E'\\n' || content ILIKE ALL (CAST(:cased_patterns AS text[]))
ORDER BY pinned DESC, created_at DESC, id DESC LIMIT 21"""

BATCH = 10_000  # notes in one statement, which may take 20 s

# 280 characters of Korean each. One in a thousand has the rare syllable, and each fifth has tags.
FILL = f"""
INSERT INTO notes (user_id, title, content, tags)
SELECT first + number % {READERS}, '메모 ' || number,
       substr(repeat(:words, 8), 1 + number % 80, 280) || CASE WHEN random() < .001 THEN ' 묽은' ELSE '' END,
       CASE WHEN number % 5 = 0 THEN ARRAY['책', 'tag' || number % 40] ELSE '{{}}' END
FROM generate_series(:start + 1, :start + {BATCH}) AS number, (SELECT min(id) FROM users) AS users (first)
"""
WORDS = "상현달은 정오쯤 떠서 자정쯤 진다. 저녁에 남쪽 하늘에서 찾아볼 것. 반달. 멸치 육수, 감자 두 개, 애호박 반. "


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def fill() -> int:
    """The id of one reader; all notes are in the table."""
    columns = "email, nickname, nickname_key, password_hash"
    db.session.execute(
        text(f"INSERT INTO users ({columns}) SELECT n || '@', n, n, '' FROM generate_series(1, {READERS}) AS n")
    )
    for start in range(0, NOTES, BATCH):
        db.session.execute(text(FILL), {"words": WORDS, "start": start})
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE notes"))
    reader = int(db.session.scalars(text("SELECT min(id) FROM users")).one())
    db.session.rollback()  # the server ends a session that waits in a transaction for as long as the index takes
    return reader


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        [port] = ports.find_free(1)
        stack.callback(postgres.start(folder / "postgres", port, durable=False).stop)
        app = create_app(DevelopmentConfig({"DATABASE_URL": postgres.url(port), "LOG_LEVEL": "WARNING"}))
        stack.enter_context(app.app_context())
        migrations = str(Path(app.root_path).parent / "migrations")
        flask_migrate.upgrade(migrations, BEFORE_THE_INDEX)
        reader = fill()
        flask_migrate.upgrade(migrations)
        print(f"{NOTES // READERS:,} notes of one reader among {NOTES:,}; the best of {ROUNDS} rounds of {RUNS} runs")
        measure("ours", lambda search: listing.list_notes(reader, search=search), ROUNDS, RUNS)
        measure("its second page", lambda search: second_page(reader, search), ROUNDS, RUNS)
        measure("LIKE", lambda search: by_like(reader, search), 1, SCANS, LIKE_FINDS)
        weigh()
        measure_inserts(reader)


def by_like(reader: int, search: Search) -> None:
    patterns = {"patterns": search.patterns, "cased_patterns": search.cased_patterns}
    db.session.execute(text(LIKE), {"owner": reader, "tags": list(search.tags), **patterns}).all()


@cache
def second_page_of(reader: int, search: Search) -> tuple[Search, Cursor]:
    page = listing.list_notes(reader, search=search)
    return page.search, page.older or START


def second_page(reader: int, search: Search) -> None:
    corrected, older = second_page_of(reader, search)
    listing.list_notes(reader, older, corrected)


def weigh() -> None:
    for relation in ("notes", "ix_notes_terms", "ix_notes_initials"):
        size = db.session.scalar(text("SELECT pg_relation_size(:name)"), {"name": relation})
        print(f"{relation:22} {size / 2**20:,.0f} MB")


def measure_inserts(reader: int) -> None:
    """In transactions that are rolled back, so in every second of them the index can be dropped."""
    insert = text(
        "INSERT INTO notes (user_id, title, content)"
        f" SELECT :reader, '메모', substr(repeat('{WORDS}', 8), 1 + :start, 280)"
    )
    taken: dict[str, list[float]] = {"SELECT 1": [], "DROP INDEX ix_notes_initials": []}
    for first in list(taken) * BATCHES_OF_INSERTS:
        db.session.execute(text(first))
        for start in range(50):
            taken[first].append(seconds(partial(db.session.execute, insert, {"reader": reader, "start": start})))
        db.session.rollback()
    with_it, without = (statistics.median(times) * 1e6 for times in taken.values())
    print(f"an INSERT takes {without:,.0f} µs without ix_notes_initials, {with_it:,.0f} µs with it (the median)")


def measure(
    name: str, page_of: Callable[[Search], object], rounds: int, runs: int, searches: Mapping[str, str] = SEARCHES
) -> None:
    for what, query in searches.items():
        search = Search.parse(query)
        for _ in range(3):  # the first ones read from the disk, and compile the statement
            page_of(search)
        taken = [[seconds(lambda: page_of(search)) * 1000 for _ in range(runs)] for _ in range(rounds)]  # noqa: B023
        p50 = min(statistics.median(times) for times in taken)
        p95 = min(statistics.quantiles(times, n=20)[-1] for times in taken)
        print(f"{name:22} {what:26} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms")


if __name__ == "__main__":
    main()
