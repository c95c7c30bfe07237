"""The pages of word counts for tests/browser, and the results that they show."""

from typing import Any

from sqlalchemy import func, insert

from app.accounts.models import User
from app.extensions import db
from app.wordcounts.models import DONE, FAILED, QUEUED, Result
from tests.browser.hard_texts import EMOJI, LONG_ADDRESS, LONG_KOREAN, LONG_WORD, RIGHT_TO_LEFT
from tests.wordcounts.results import COUNTED

PAGES = (
    ("word-counts", "/wordcounts", "full"),
    ("word-counts-refused", "/wordcounts", "empty", 422, {"url": "ftp://example.com"}),
    ("result", "/wordcounts/{done}", "full"),
    ("result-all-words", "/wordcounts/{done}?stop_words=keep&all=1&sort=word", "full"),
    ("result-shared", "/wordcounts/{shared}"),
    ("result-waiting", "/wordcounts/{waiting}", "full"),
    ("result-failed", "/wordcounts/{failed}", "full"),
)
PRINTED = {"/wordcounts/{done}": ["1,234,567", "Most frequent words", "moon1"]}
STOPS = ("/wordcounts",)


def seed(user: User) -> dict[str, object]:
    """Make results of every state, as the worker leaves them; asked of no worker, which would set out to count them."""
    many = {f"{word}{number or ''}": 400 - number for number in range(55) for word in ("반달", "moon")}
    forms = {"달": 450, "달은": 90, "달에서는": 60, f"{LONG_KOREAN}은": 50}
    words = {LONG_WORD: 900, LONG_KOREAN: 800, RIGHT_TO_LEFT: 700, "<b>": 600, EMOJI: 500, **forms, **many}
    long: dict[str, Any] = {"result_all": {"the": 1000, **words}, "result_no_stop_words": words}
    long |= {"total_words": 1_234_567, "content_words": 900_000}
    return {
        "failed": insert_result(user, FAILED, error="timeout", url=LONG_ADDRESS),
        "shared": insert_result(user, DONE, title=LONG_KOREAN[:200]),
        "waiting": insert_result(user, QUEUED, url=LONG_ADDRESS),
        "done": insert_result(user, DONE, **long, url=LONG_ADDRESS, final_url=LONG_ADDRESS, title=LONG_WORD[:200]),
    }


def insert_result(user: User, status: str, **values: Any) -> object:
    if status == DONE:
        values = {**COUNTED, "shared": True, **values}
    if status in (DONE, FAILED):
        values["finished_at"] = func.now()
    row = {"user_id": user.id, "url": "https://example.com/moon", "status": status, **values}
    public_id: object = db.session.scalar(insert(Result).values(**row).returning(Result.public_id))
    db.session.commit()
    return public_id
