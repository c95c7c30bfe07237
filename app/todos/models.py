"""Todos, open and done."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, DateTime, ForeignKey, Identity, Index, String, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base

DESCRIPTION_LENGTH = 200  # code points
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)  # by which a todo may be due
UNPLACED = 0  # the position of what was written before todos had places, see app/todos/order.py


class Todo(Base):
    __tablename__ = "todos"
    __table_args__ = (
        # The list reads this index backwards: the highest position first, at one position the newest, so that what was
        # just written stands on top. A todo that gets done keeps its place; the index tells the open and the done ones
        # apart without reading a row, which is why `completed` is in it.
        Index(None, "user_id", "position", "id", "completed"),
        # What was deleted, of all people, until it is deleted for good.
        Index("ix_todos_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        # What the release before `position` lists by. It may still be serving, so this is not dropped in one step.
        Index(None, "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH))
    completed: Mapped[bool] = mapped_column(server_default=false())
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    due_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    # Of a todo that is open it means nothing; of a done one it may be missing: the column came after `completed`.
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # for a day it can be taken back
