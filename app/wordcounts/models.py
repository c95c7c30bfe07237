"""The results of word counts: one row per page that a user asked to have counted."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, false, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Id

URL_LENGTH = 2000  # code points; a length that all browsers and servers accept
TITLE_LENGTH = 200

QUEUED = "queued"
RUNNING = "running"
DONE = "done"
FAILED = "failed"
UNFINISHED = (QUEUED, RUNNING)


class Result(Base):
    """One count of one page. A deleted one stays an hour without URL and words, as the hourly rate limit counts it."""

    __tablename__ = "results"
    __table_args__ = (
        # The history reads this index backwards; the rate limits count its rows of one user.
        Index(None, "user_id", "id"),
        Index("ix_results_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index(None, "user_id", "idempotency_key", unique=True, postgresql_where=text("idempotency_key IS NOT NULL")),
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status"),
    )

    id: Mapped[Id]
    # The id in URLs: 122 random bits, so the link to a shared result cannot be guessed.
    public_id: Mapped[uuid.UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)  # as it was typed
    final_url: Mapped[str | None] = mapped_column(Text)  # after redirects
    title: Mapped[str | None] = mapped_column(String(TITLE_LENGTH))
    status: Mapped[str] = mapped_column(String(10), server_default=QUEUED)
    error: Mapped[str | None] = mapped_column(String(40))  # a code of app/wordcounts/failures.py
    result_all: Mapped[dict[str, int] | None] = mapped_column(JSONB)  # word: count; the most frequent ones
    result_no_stop_words: Mapped[dict[str, int] | None] = mapped_column(JSONB)
    phrases: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    total_words: Mapped[int | None]
    unique_words: Mapped[int | None]
    content_words: Mapped[int | None]  # of total_words, those that are not stop words
    characters: Mapped[int | None]  # code points, without white space
    reading_seconds: Mapped[int | None]
    truncated: Mapped[bool] = mapped_column(server_default=false())  # the page has more words than are stored
    shared: Mapped[bool] = mapped_column(server_default=false())  # anybody who has the link may read it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    idempotency_key: Mapped[uuid.UUID | None]  # of the request that stored it, see app/limits/quotas.py
