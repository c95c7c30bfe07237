"""Web pages whose words somebody wanted counted, and what came of it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base

URL_LENGTH = 2000  # code points; what browsers and servers agree on
TITLE_LENGTH = 200

QUEUED = "queued"
RUNNING = "running"
DONE = "done"
FAILED = "failed"


class Result(Base):
    """One count of one page.

    A deleted one stays for an hour, without its address and its words: it was one of the 30 that a person has an hour.
    """

    __tablename__ = "results"
    __table_args__ = (
        # The history reads this index backwards; the limits of a person count its newest entries.
        Index(None, "user_id", "id"),
        Index("ix_results_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    # What its address holds: 122 random bits, so that a link that was not passed on cannot be guessed.
    public_id: Mapped[uuid.UUID] = mapped_column(unique=True, server_default=func.gen_random_uuid())
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)  # as it was typed
    final_url: Mapped[str | None] = mapped_column(Text)  # after the redirects
    title: Mapped[str | None] = mapped_column(String(TITLE_LENGTH))
    status: Mapped[str] = mapped_column(String(10), server_default=QUEUED)
    error: Mapped[str | None] = mapped_column(String(40))  # a code of app.wordcounts.sentences
    result_all: Mapped[dict[str, int] | None] = mapped_column(JSONB)  # word: how often; the most frequent ones
    result_no_stop_words: Mapped[dict[str, int] | None] = mapped_column(JSONB)
    phrases: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    total_words: Mapped[int | None]
    unique_words: Mapped[int | None]
    content_words: Mapped[int | None]  # those of the total that are no stop words
    characters: Mapped[int | None]  # without white space
    reading_seconds: Mapped[int | None]
    truncated: Mapped[bool] = mapped_column(server_default=false())  # more words than are stored
    shared: Mapped[bool] = mapped_column(server_default=false())  # whether whoever has the link may read it
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
