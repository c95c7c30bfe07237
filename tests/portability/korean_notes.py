"""A large notebook: notes as long as they may be, in Korean whose words repeat as in prose, so that they pack alike."""

import itertools
import random

from sqlalchemy import insert

from app.extensions import db
from app.notes.models import CONTENT_LENGTH, Note

VOCABULARY = 20_000  # words; a text uses the first ones far more often than the last (Zipf's law)
SYLLABLES = 2350  # those of KS X 1001, which nearly all text has
IN_ONE_INSERT = 500


def fill(user_id: int, count: int) -> None:
    """Insert the notes, always the same ones, and commit."""
    chance = random.Random(1)  # noqa: S311 - no secret
    words = [
        "".join(chr(0xAC00 + 4 * chance.randrange(SYLLABLES)) for _ in range(chance.choice((2, 3, 3, 4))))
        for _ in range(VOCABULARY)
    ]
    frequencies = list(itertools.accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    for first in range(0, count, IN_ONE_INSERT):
        rows = [
            {
                "user_id": user_id,
                "title": f"메모 {number}",
                "content": " ".join(chance.choices(words, cum_weights=frequencies, k=CONTENT_LENGTH))[:CONTENT_LENGTH],
                "tags": [],
            }
            for number in range(first, min(count, first + IN_ONE_INSERT))
        ]
        db.session.execute(insert(Note), rows)
    db.session.commit()
