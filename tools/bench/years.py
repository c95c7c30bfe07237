"""Fill the tables that grow with use as years do, run the nightly jobs, and measure pages before, meanwhile and after.

A million rows each of what has ended: sessions, events of accounts, links of mails, API tokens, keys of requests, marks
of writes, full rate limits, and jobs that failed. Each night then takes what a day ended, so no real one has as many.
Then edit 20,000 notes ten times over, and measure by how much the table and its indexes grow (bloat).
Run: .venv/bin/python -m tools.bench.years [rows]
"""

import statistics
import sys
from collections.abc import Callable, Mapping
from contextvars import Context

from flask.testing import FlaskClient
from sqlalchemy import text

from app.accounts import service, tasks
from app.extensions import db
from app.follower import writes
from app.jobs.tasks import purge_failed_jobs, purge_lost_records
from app.limits import quotas, rate_limits
from tools.bench.client import PASSWORD, token_in
from tools.bench.figures import seconds
from tools.bench.service import administer, application, upgrade

ROWS = 1_000_000
READERS = 10_000  # whose they are
BATCH = 50_000
ROUNDS = 10  # of which the best one counts, since others may use the machine
RUNS = 20
PAGES = ("/notes", "/mypage/devices", "/mypage/events", "/mypage")
ENDED = {
    "sessions": "INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)"
    " SELECT md5(n::text), n % 10000 + 1, now() - interval '1 day', 'Mozilla/5.0' FROM numbers",
    "events": "INSERT INTO account_events (user_id, kind, created_at, user_agent)"
    " SELECT n % 10000 + 1, 'sign_in', now() - interval '10 years', 'Mozilla/5.0' FROM numbers",
    "links": "INSERT INTO account_tokens (token_hash, user_id, purpose, email, expires_at)"
    " SELECT md5(n::text), n % 10000 + 1, 'reset_password', 'a@example.com', now() - interval '9 days' FROM numbers",
    "API tokens": "INSERT INTO access_tokens (token_hash, user_id, name, scopes, expires_at)"
    " SELECT md5(n::text), n % 10000 + 1, 'script', '{}', now() - interval '1 day' FROM numbers",
    "keys": "INSERT INTO idempotency_keys (user_id, key, request, created_at)"
    " SELECT n % 10000 + 1, md5(n::text)::uuid, md5(n::text)::uuid, now() - interval '9 days' FROM numbers",
    "marks": "INSERT INTO account_writes SELECT n, n, now() - interval '1 year' FROM numbers",
    "rate limits": "INSERT INTO rate_limits SELECT md5(n::text), now() - interval '1 day' FROM numbers",
    "failed jobs": ", jobs AS (INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
    " SELECT 'default', 'mail.send', '{}', 'failed' FROM numbers RETURNING id),"
    " records AS (INSERT INTO job_records (id, error) SELECT id, 'ConnectionRefusedError' FROM jobs)"
    " INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'failed', now() - interval '1 year' FROM jobs",
}
NIGHTLY: Mapping[str, Callable[[int], None]] = {
    "sessions": tasks.purge_expired_sessions,
    "events": tasks.purge_old_events,
    "links and API tokens": tasks.purge_expired_tokens,
    "keys": quotas.purge_old_keys,
    "marks": writes.purge_old_marks,
    "rate limits": rate_limits.purge_full_buckets,
    "failed jobs": purge_failed_jobs,
    "records of jobs": purge_lost_records,
}
NOTES = "INSERT INTO notes (user_id, title, content) SELECT n % 10000 + 1, '메모 ' || n, :words || n FROM numbers"
NOTE_COUNT = 20_000
WORDS = "상현달은 정오쯤 떠서 자정쯤 진다. 저녁에 남쪽 하늘에서 찾아볼 것. 멸치 육수, 감자 두 개, 애호박 반. " * 4
EDITS = 10
EDIT = "UPDATE notes SET content = :words || id * :round, version = version + 1 WHERE id % 20 = :part"
SIZES = """
SELECT relname AS name, pg_relation_size(oid) / :count AS bytes FROM pg_class
WHERE oid = 'notes'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'notes'::regclass)
ORDER BY 2 DESC LIMIT 6"""
USERS = f"""
INSERT INTO users (email, nickname, nickname_key, password_hash)
SELECT n || '@example.com', n, n, '' FROM generate_series(1, {READERS}) AS n"""


def main(rows: int) -> None:
    with application(durable=True) as app:
        upgrade()
        service.sign_up("reader@example.com", "reader", PASSWORD)
        db.session.execute(text(USERS))
        db.session.commit()
        browser = app.test_client()
        sign_in(browser)
        tell_pages("before", browser)
        for what, statement in ENDED.items():
            print(f"{rows:,} {what}: written in {seconds(lambda: fill(statement, rows)):.0f} s", flush=True)  # noqa: B023
        administer("VACUUM ANALYZE")  # as autovacuum does within the minute
        tell_pages("full", browser)
        for what, job in NIGHTLY.items():
            print(f"{what}: purged in {seconds(lambda: job(0)):.1f} s", flush=True)  # noqa: B023
        tell_pages("purged", browser)
        administer("VACUUM ANALYZE")
        tell_pages("vacuumed", browser)
        wear_notes()


def wear_notes() -> None:
    fill(NOTES, NOTE_COUNT, {"words": WORDS}, batch=1000)
    tell_sizes("written")
    for number in range(1, EDITS + 1):
        for part in range(20):
            db.session.execute(text(EDIT), {"words": WORDS, "round": number, "part": part})
            db.session.commit()
        administer("VACUUM notes")
    tell_sizes(f"edited {EDITS} times")
    administer("REINDEX TABLE CONCURRENTLY notes")
    tell_sizes("indexed anew")


def tell_sizes(when: str) -> None:
    sizes = db.session.execute(text(SIZES), {"count": NOTE_COUNT}).all()
    db.session.commit()
    print(f"bytes a note, {when}: " + ", ".join(f"{name} {size:,}" for name, size in sizes), flush=True)


def sign_in(browser: FlaskClient) -> None:
    page = Context().run(browser.get, "/sign-in").text  # not in the application's context of this process
    form = {"csrf_token": token_in(page), "email": "reader@example.com", "password": PASSWORD}
    answer = Context().run(browser.post, "/sign-in", data=form)
    if answer.status_code != 302:
        sys.exit(f"sign-in answered {answer.status_code}")


def fill(statement: str, rows: int, parameters: Mapping[str, str] | None = None, batch: int = BATCH) -> None:
    """Insert rows in statements of which each may take 20 s."""
    for start in range(0, rows, batch):
        numbers = f"WITH numbers AS (SELECT generate_series({start} + 1, {min(start + batch, rows)}) AS n) "
        db.session.execute(text(numbers + statement), parameters)
        db.session.commit()


def tell_pages(when: str, browser: FlaskClient) -> None:
    def round_of(path: str) -> float:
        return statistics.median(seconds(lambda: visit(browser, path)) for _ in range(RUNS))

    best = {path: min(round_of(path) for _ in range(ROUNDS)) * 1000 for path in PAGES}
    print(f"pages {when}: " + ", ".join(f"{path} {taken:.1f} ms" for path, taken in best.items()), flush=True)


def visit(browser: FlaskClient, path: str) -> None:
    status = Context().run(browser.get, path).status_code
    if status != 200:
        sys.exit(f"{path} answered {status}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
