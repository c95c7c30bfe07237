"""What word counts bring to the tests of the whole service."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert

from app.accounts.models import User
from app.extensions import db
from app.wordcounts.models import DONE, FAILED, QUEUED, Result
from app.wordcounts.portable import WORDCOUNTS
from tests.samples import EMOJI, LONG_ADDRESS, LONG_KOREAN, LONG_WORD, RIGHT_TO_LEFT, Samples
from tests.wordcounts.results import COUNTED

MANY = """
    INSERT INTO results (user_id, url, status, total_words, created_at, finished_at)
    SELECT users.id, 'https://example.com', 'done', 1, now() - interval '1 day', now()
    FROM users, generate_series(1, 1000) n ORDER BY users.id, n"""


def own(user: User) -> Mapping[str, Any]:
    """Store results as the worker leaves them; asked of no worker, which would set out to count them."""
    many = {f"{word}{number or ''}": 400 - number for number in range(55) for word in ("반달", "moon")}
    forms = {"달": 450, "달은": 90, "달에서는": 60, f"{LONG_KOREAN}은": 50}
    words = {LONG_WORD: 900, LONG_KOREAN: 800, RIGHT_TO_LEFT: 700, "<b>": 600, EMOJI: 500, **forms, **many}
    done = {
        **COUNTED, "title": LONG_WORD[:200], "final_url": LONG_ADDRESS, "result_all": {"the": 1000, **words},
        "result_no_stop_words": words, "total_words": 1_234_567, "content_words": 900_000,
    }  # fmt: skip
    states: dict[str, dict[str, Any]] = {
        "failed": {"status": FAILED, "error": "timeout", "finished_at": func.now()},
        "waiting": {"status": QUEUED},
        "gone": {"status": DONE, **done, "deleted_at": func.now()},
        "done": {"status": DONE, **done, "finished_at": func.now()},
    }
    rows = {
        name: insert(Result).values(user_id=user.id, url=LONG_ADDRESS, **values).returning(Result.public_id)
        for name, values in states.items()
    }
    ids = {name: db.session.scalar(row) for name, row in rows.items()}
    db.session.commit()
    return ids


SAMPLES = Samples(
    portable=WORDCOUNTS,
    own=own,
    fields={"url": "https://example.com/typed"},
    pages=[
        *("/wordcounts/{done}", "/wordcounts/{done}?stop_words=keep&all=1&sort=word", "/wordcounts/{waiting}"),
        *("/wordcounts/{failed}", "/wordcounts/{done}.csv", "/wordcounts/{done}.json", "/wordcounts"),
    ],
    many=MANY,
    share_all="UPDATE results SET shared = true",
)
