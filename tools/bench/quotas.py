"""Measure what the storage quota and the kept figures cost a new note, by how many its owner has.

Our INSERT against one without the quota, into a copy of the table without triggers.
Run: .venv/bin/python -m tools.bench.quotas
"""

import statistics
import time
from typing import Any

from sqlalchemy import text

from app.accounts import service
from app.extensions import db
from app.notes.models import Note
from app.notes.service import QUOTA
from tools.bench.service import administer, application, upgrade

TRIES = 200  # of each, in turn, so that a machine that slows down slows both
OWNED = (0, 100, 5_000, 50_000, 99_000)  # notes of the owner

OURS = QUOTA.insert("title", "content", "tags").returning(Note.id)
PLAIN = text(
    "INSERT INTO plain (user_id, title, content, tags) VALUES (:user_id, :title, :content, :tags) RETURNING id"
)
COPY = "CREATE TABLE plain (LIKE notes INCLUDING ALL, FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE)"
FILL = "INSERT INTO {} (user_id, title, content) SELECT {}, 'title', 'text' FROM generate_series(1, {})"


def main() -> None:
    with application():
        upgrade()
        administer(COPY)
        owners = {count: owner_of(count) for count in OWNED}
        administer("VACUUM ANALYZE")
        for count, user_id in owners.items():
            compare(count, user_id)


def owner_of(count: int) -> int:
    user = service.sign_up(f"owner{count}@example.com", f"owner{count}", "a long enough sentence")
    for table in ("notes", "plain"):
        administer(FILL.format(table, user.id, count))
    return user.id


def compare(count: int, user_id: int) -> None:
    values: dict[str, Any] = {"title": "title", "content": "text", "tags": ["tag"]}
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(TRIES):
        start = time.perf_counter()
        db.session.execute(PLAIN, {"user_id": user_id, **values}).one()
        db.session.commit()
        times["plain"].append(time.perf_counter() - start)
        start = time.perf_counter()
        QUOTA.store(OURS, user_id, None, **values)
        db.session.commit()
        times["ours"].append(time.perf_counter() - start)
    plain, ours = (statistics.median(taken) * 1000 for taken in times.values())
    print(f"{count:6,} notes: plain {plain:5.2f} ms, ours {ours:5.2f} ms, median of {TRIES}; × {ours / plain:.2f}")


if __name__ == "__main__":
    main()
