"""What word counts bring to the tests of the whole service."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service, tasks
from tests.samples import Form, Purge, Samples
from tests.wordcounts import results

MANY = """
    INSERT INTO results (user_id, url, status, total_words, created_at, finished_at)
    SELECT users.id, 'https://example.com', 'done', 1, now() - interval '1 day', now()
    FROM users, generate_series(1, CASE WHEN users.id = :alice THEN 1000 ELSE 1200 END) n
    ORDER BY users.id, n"""
BENCH = """
INSERT INTO results (user_id, url, final_url, title, status, result_all, result_no_stop_words, phrases,
    total_words, unique_words, content_words, characters, reading_seconds, finished_at)
SELECT id, 'https://example.com/' || n, 'https://example.com/' || n, 'Page ' || n, 'done', '{"the": 5, "moon": 3}',
    '{"moon": 3}', '{"2": {"the moon": 3}, "3": {"of the moon": 2}}', 10, 3, 5, 1234, 61, now()
FROM users, generate_series(1, 10) AS n
"""
STORED = text("INSERT INTO results (user_id, url, status, total_words) VALUES (:id, 'x', 'done', 1)")


ITEM: Mapping[str, Any] = {
    "url": "https://example.com/",
    "final_url": "https://example.com/",
    "title": "Example",
    "result_all": {"moon": 2},
    "result_no_stop_words": {"moon": 2},
    "phrases": {"2": {}, "3": {}},
    "total_words": 2,
    "unique_words": 1,
    "content_words": 2,
    "characters": 8,
    "reading_seconds": 1,
    "truncated": False,
    "shared": False,
    "created_at": "2026-03-01T09:00:00+00:00",
    "finished_at": "2026-03-01T09:00:00+00:00",
}
INVALID: Mapping[str, Mapping[str, Any]] = {
    "an address that is a script": {"final_url": "javascript:alert(1)"},
    "an address inside": {"url": "http://127.0.0.1/"},
    "words of no number": {"result_all": {"moon": "2"}},
    "more words than are kept": {
        "result_all": {f"{n}": 1 for n in range(5001)}, "total_words": 9999, "unique_words": 9999,
    },
    "more words than there are": {"total_words": 1, "content_words": 1},
    "a number that is true": {"characters": True},
    "a total beyond the column": {"characters": 2**31},
    "phrases of four words": {"phrases": {"2": {}, "4": {}}},
}  # fmt: skip


PURGE = Purge(
    tasks.purge_deleted, "wordcounts.remove_deleted", "ix_results_deleted_at",
    "results", "url, deleted_at", "''", "now() - interval '1 hour'",
)  # fmt: skip


def own(user: User) -> Mapping[str, Any]:
    service.delete_result(user.id, results.done(user, "https://example.com/deleted"))
    return {"done": results.done(user), "waiting": results.waiting(user), "failed": results.failed(user, "dns")}


def add(user_id: int) -> None:
    db.session.execute(STORED, {"id": user_id})
    db.session.commit()


def furnish(user: User) -> None:
    results.done(user)
    results.done(user, "https://example.com/다른", title="Ca\u0301fe", truncated=True)
    results.shared(user, url="https://example.com/shared", title=None)
    results.done(user, "https://example.com/empty", result_all={}, result_no_stop_words={}, total_words=0,
                 unique_words=0, content_words=0, phrases={"2": {}, "3": {}})  # fmt: skip


def shared(user: User) -> list[str]:
    path = f"/wordcounts/{results.shared(user)}"
    return [path, f"{path}.csv", f"{path}.json"]


SAMPLES = Samples(
    own=own,
    list_name="wordcounts",
    item=ITEM,
    invalid=INVALID,
    furnish=furnish,
    furnished=4,
    shared=shared,
    share_all="UPDATE results SET shared = true",
    done=results.done,
    variable="public_id",
    done_with=lambda user, words: results.done(user, f"https://example.com/{words}", title=words),
    api_queries=["/wordcounts/{public_id}?stop_words=keep&wait=1"],
    bench=BENCH,
    form=Form(
        path="/wordcounts",
        fields={"url": "https://example.com/typed"},
        table="results",
        uncounted="title = 'other', shared = true",
        last_column="results.finished_at",
        key_bounds=service.KEY_BOUNDS,
        quota=service.QUOTA,
        most=5_000,
        add=add,
        limit=(service, "MAX_PER_HOUR"),
    ),
    statements={
        2: [
            *("/wordcounts", "/wordcounts/{waiting}", "/wordcounts/{failed}", "/wordcounts/{done}"),
            *("/wordcounts/{done}?stop_words=keep&all=1", "/wordcounts/{done}.csv", "/wordcounts/{done}.json"),
        ],
    },
    many=MANY,
    title="Word counts",
    writes=["wordcounts.create"],
    asks_before_sign_in=["wordcounts.show", "wordcounts.download_csv", "wordcounts.download_json"],
    from_follower=["wordcounts.index"],
    pure=[
        *(f"app.wordcounts.analysis.{name}" for name in ("charset", "particles", "sandbox", "text", "words")),
        *(f"app.wordcounts.fetching.{name}" for name in ("client", "connecting", "vetting")),
        *(f"app.wordcounts.{name}" for name in ("failures", "readable", "report")),
    ],
    terms={"stemming": "app/wordcounts/analysis/particles.py", "SSRF": "app/wordcounts/fetching/__init__.py"},
    purges=[PURGE],
)
