"""The table of todos."""

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, Date, ForeignKey, Index, String, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Id

DESCRIPTION_LENGTH = 500  # code points
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)  # of due dates
UNPLACED = 0  # the position of todos that were created before todos had positions, see app/todos/service.py


class Todo(Base):
    __tablename__ = "todos"
    __table_args__ = (
        # The list reads this index backwards: the highest position first, and the newest where positions are equal.
        # `completed` is in it so that a list of the open or the done todos skips the others without reading rows.
        Index(None, "user_id", "position", "id", "completed"),
        Index(None, "user_id", "idempotency_key", unique=True, postgresql_where=text("idempotency_key IS NOT NULL")),
        # Serves the todos that are due today or were before, the earliest first; see listing.py.
        Index(
            "ix_todos_due",
            "user_id",
            text("('2000-01-01'::date - due_on)"),
            "id",
            postgresql_where=text("NOT completed AND deleted_at IS NULL AND due_on IS NOT NULL"),
        ),
        # The done ones, the latest first, and last what was done before `completed_at` was noted; see listing.py.
        Index(
            "ix_todos_done",
            "user_id",
            text("completed_at DESC NULLS LAST"),
            text("id DESC"),
            postgresql_where=text("completed AND deleted_at IS NULL"),
        ),
        # The changes since a transaction, see app/sync.py.
        Index("ix_todos_changed", "user_id", "changed", "id", postgresql_where=text("changed IS NOT NULL")),
        # The nightly purge of everybody's deleted todos.
        Index("ix_todos_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        # The list of releases before 0008. Kept because an import asks for a user's highest id: without this index
        # PostgreSQL reads all todos backwards for a user who has none.
        Index(None, "user_id", "id"),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH))
    completed: Mapped[bool] = mapped_column(server_default=false())
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    due_on: Mapped[date | None] = mapped_column(Date)
    # A trigger alone writes these: what each change adds one to (optimistic locking), the transaction that changed the
    # todo last, and when that was; NULL: not since revision 0063.
    version: Mapped[int] = mapped_column(server_default=text("1"))
    changed: Mapped[int | None] = mapped_column(BigInteger)
    changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Meaningless while a todo is open. May be NULL for a done one, because the column is newer than `completed`.
    completed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]  # soft delete
    idempotency_key: Mapped[uuid.UUID | None]  # of the request that stored it, see app/limits/quotas.py
