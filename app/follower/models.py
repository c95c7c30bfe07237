"""The table of the last writes, by which a reader is kept from a follower that has not replayed theirs yet."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, func
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base


class AccountWrite(Base):
    """The transaction that wrote last for an account; see writes.py. Who has no row has not written since yesterday.

    No foreign key: its check would lock the account's row at the end of each write, after the rows that were written,
    and could deadlock with the deletion of the account. What a deleted account leaves is purged in the next night.
    """

    __tablename__ = "account_writes"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # of the account
    transaction_id: Mapped[int] = mapped_column(BigInteger)  # xid8, so it never wraps around
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
