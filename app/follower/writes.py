"""Marks of writes (causal consistency): the last transaction that wrote for an account, noted in that transaction.

So the mark is there exactly when the write is, also when the process dies right after its commit. Transactions of one
account wait for each other at the mark's row, as the last thing before their commits. So who sees the mark of one of
them on a follower sees all those before it.
"""

from flask import current_app
from sqlalchemy import text

from app.extensions import db

FOLLOWER = "follower"  # in app.extensions

_MARK = text(
    "INSERT INTO account_writes (id, transaction_id) VALUES (:user_id, pg_current_xact_id()::text::bigint)"
    " ON CONFLICT (id) DO UPDATE SET transaction_id = excluded.transaction_id, written_at = excluded.written_at"
)


def are_marked() -> bool:
    """Whether there is a follower to be kept from."""
    return bool(current_app) and FOLLOWER in current_app.extensions


def mark(user_id: int) -> None:
    """Note that the session's transaction writes for an account. Call it last before the commit, since it locks.

    A request of a signed-in person needs no call (choice.py). What writes for somebody else does, as a job.
    """
    if are_marked():
        db.session.flush()
        db.session.execute(_MARK, {"user_id": user_id})
