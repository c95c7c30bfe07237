"""Results in each status, as the worker stores them."""

import uuid
from typing import Any

from sqlalchemy import func, update

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import DONE, FAILED, Result

URL = "https://example.com/moon"
COUNTED: dict[str, Any] = {
    "final_url": "https://example.com/moon/",
    "title": "Half moon",
    "result_all": {"the": 5, "moon": 3, "반달": 2},
    "result_no_stop_words": {"moon": 3, "반달": 2},
    "phrases": {"2": {"the moon": 3}, "3": {"of the moon": 2}},
    "total_words": 10,
    "unique_words": 3,
    "content_words": 5,
    "characters": 1234,
    "reading_seconds": 61,
}


def waiting(user: User, url: str = URL, **values: Any) -> uuid.UUID:
    """An unfinished result. Returns its public id, as the functions below do."""
    public_id = service.ask(user.id, url)
    if values:
        change(public_id, **values)
    return public_id


def done(user: User, url: str = URL, **values: Any) -> uuid.UUID:
    return waiting(user, url, status=DONE, finished_at=func.now(), **{**COUNTED, **values})


def failed(user: User, error: str, url: str = URL) -> uuid.UUID:
    return waiting(user, url, status=FAILED, finished_at=func.now(), error=error)


def shared(user: User, **values: Any) -> uuid.UUID:
    return done(user, shared=True, **values)


def change(public_id: uuid.UUID, **values: Any) -> None:
    db.session.execute(update(Result).where(Result.public_id == public_id).values(**values))
    db.session.commit()
