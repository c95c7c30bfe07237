"""Measure how long a page of a search takes for a reader who has 50,000 notes among 500,000.

Through the service, with all that a page shows: the hits, their number, the figures and tags beside them. Against the
same search by LIKE alone, which looks at every note of the reader. The notes are made before their GIN indexes are
built anew; that takes some minutes. Of several rounds the best one counts, since others may use the machine.
Run: .venv/bin/python -m tools.bench.search
"""

import statistics
from collections.abc import Callable, Mapping

from sqlalchemy import text

from app.extensions import db
from app.notes import listing
from app.notes.search import Search
from tools.bench.figures import seconds
from tools.bench.service import administer, application, upgrade

NOTES = 500_000
READERS = 10  # who have them in equal parts, mixed as they were written
ROUNDS = 5
RUNS = 40  # in a round
SCANS = 5
SEARCHES = {
    "no search": "",
    "often, 다": "다",
    "rarely, 묽": "묽",
    "never, 힣": "힣",
    "in letters, zebra": "zebra",
    "two words": "다 반달",
    "a phrase, often": '"상현달은 정오쯤"',
    "a phrase, never": '"정오쯤 상현달은"',
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

GIN_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'notes' AND indexdef LIKE '% USING gin %'"""
LIKE = """
SELECT id FROM notes WHERE user_id = :owner AND deleted_at IS NULL
  AND title || E'\\n' || content ILIKE ALL (CAST(:patterns AS text[]))
ORDER BY pinned DESC, created_at DESC, id DESC LIMIT 21"""

BATCH = 10_000  # notes in one statement, which may take 20 s

# 280 characters of Korean each. One in a thousand has the rare syllable, and each fifth has tags.
FILL = f"""
INSERT INTO notes (user_id, title, content, tags)
SELECT first + number % {READERS}, '메모 ' || number,
       substr(repeat(:words, 8), 1 + number % 80, 280) || CASE WHEN random() < .001 THEN ' 묽은' ELSE '' END,
       CASE WHEN number % 5 = 0 THEN ARRAY['책', 'tag' || number % 40] ELSE '{{}}' END
FROM generate_series(CAST(:start AS integer) + 1, CAST(:start AS integer) + {BATCH}) AS number,
     (SELECT min(id) FROM users) AS users (first)
"""
WORDS = "상현달은 정오쯤 떠서 자정쯤 진다. 저녁에 남쪽 하늘에서 찾아볼 것. 반달. 멸치 육수, 감자 두 개, 애호박 반. "


def fill() -> int:
    """Insert all notes, and return the id of one reader."""
    columns = "email, nickname, nickname_key, password_hash"
    db.session.execute(
        text(f"INSERT INTO users ({columns}) SELECT n || '@', n, n, '' FROM generate_series(1, {READERS}) AS n")
    )
    indexes = db.session.execute(text(GIN_INDEXES)).all()
    for index in indexes:
        db.session.execute(text(f"DROP INDEX {index.indexname}"))
    for start in range(0, NOTES, BATCH):
        db.session.execute(text(FILL), {"words": WORDS, "start": start})
    db.session.commit()
    for index in indexes:
        administer(index.indexdef)
    administer("VACUUM ANALYZE notes")
    return int(db.session.scalars(text("SELECT min(id) FROM users")).one())


def main() -> None:
    with application():
        upgrade()
        reader = fill()
        print(f"{NOTES // READERS:,} notes of one reader among {NOTES:,}; the best of {ROUNDS} rounds of {RUNS} runs")
        measure("ours", lambda search: listing.list_notes(reader, search=search), ROUNDS, RUNS)
        measure("LIKE", lambda search: by_like(reader, search), 1, SCANS, LIKE_FINDS)


def by_like(reader: int, search: Search) -> None:
    db.session.execute(text(LIKE), {"owner": reader, "patterns": [f"%{word}%" for word in search.words]}).all()


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
