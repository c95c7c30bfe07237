"""Marks of writes (causal consistency): the last transaction that wrote for an account, noted in that transaction.

So the mark is there exactly when the write is, also when the process dies right after its commit. By it a reader is
kept from a follower that has not replayed their writes yet. Transactions of one account wait for each other at the
mark's row, as the last thing before their commits. So who sees the mark of one on a follower sees all before it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import BigInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.rows import Rows, Statement
from app.extensions import Base, autocommit, db, on_primary
from app.soft_delete import purged_nightly

FOLLOWER = "follower"  # in app.extensions
KEPT = timedelta(days=1)  # a follower that lags longer is left out anyway, see follower.py


class AccountWrite(Base):
    """The transaction that wrote last for an account. Who has no row has not written since yesterday.

    A foreign key would lock the account's row after the rows that were written, and could deadlock with its deletion.
    """

    __tablename__ = "account_writes"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # of the account
    transaction_id: Mapped[int] = mapped_column(BigInteger)  # xid8, so it never wraps around
    written_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


_MARK = text(
    "INSERT INTO account_writes (id, transaction_id) VALUES (:user_id, pg_current_xact_id()::text::bigint)"
    " ON CONFLICT (id) DO UPDATE SET transaction_id = excluded.transaction_id, written_at = excluded.written_at"
)


def are_marked() -> bool:
    """Tell if there is a follower to be kept from."""
    return bool(current_app) and FOLLOWER in current_app.extensions


def mark(user_id: int) -> None:
    """Note that the session's transaction writes for an account. Call it last before the commit, since it locks.

    A request of a signed-in person needs no call (follower.py); a job does.
    """
    if are_marked():
        db.session.flush()
        db.session.execute(_MARK, {"user_id": user_id})


def alone(statement: Statement, parameters: Mapping[str, Any]) -> Rows:
    """Run a statement that is all of a transaction. BEGIN and COMMIT would be a round trip each.

    Not where the write is marked, nor in a transaction that has begun; so the caller commits.
    """
    if are_marked() or db.session().in_transaction():
        return on_primary(statement, parameters)
    with autocommit():
        return on_primary(statement, parameters)


purge_old_marks = purged_nightly(
    "follower.purge_old_marks", (AccountWrite, AccountWrite.written_at <= func.now() - KEPT)
)
