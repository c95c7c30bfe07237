"""Idempotency keys: a program that lost an answer sends its request again, and it is obeyed once.

The key is the program's own and holds for a day, whatever becomes of what the request creates. It is noted in the same
transaction, so either both are there or neither is. Concurrent requests with one key wait for the commit of the first.
"""

import hashlib
import uuid
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, db
from app.jobs.queue import nightly
from app.soft_delete import purge

KEPT = timedelta(hours=24)


class KeyUsed(Exception):
    """Another request had this key within KEPT. Nothing was changed."""


class Key(NamedTuple):
    """A request, as services know it."""

    row_key: uuid.UUID  # is stored with the rows that it creates
    is_used: bool = False  # it came before and was obeyed. So it creates nothing, also if those rows are gone


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "user_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key: Mapped[uuid.UUID]  # a hash of what was sent
    request: Mapped[uuid.UUID]  # a hash of the path and the body
    row_key: Mapped[uuid.UUID] = mapped_column(server_default=func.gen_random_uuid())  # of the rows that it creates
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


_EXPIRED = IdempotencyKey.created_at <= func.now() - KEPT
_NEW = insert(IdempotencyKey).values(
    user_id=bindparam("owner"), key=bindparam("key_hash"), request=bindparam("request_hash")
)
_NOTE = _NEW.on_conflict_do_update(
    index_elements=["user_id", "key"],
    set_={"request": _NEW.excluded.request, "row_key": func.gen_random_uuid(), "created_at": func.now()},
    where=_EXPIRED,
).returning(IdempotencyKey.row_key)
_NOTED = select(IdempotencyKey.row_key, IdempotencyKey.request).where(
    IdempotencyKey.user_id == bindparam("owner"), IdempotencyKey.key == bindparam("key_hash")
)


def note(user_id: int, key: str, path: str, body: bytes) -> Key:
    """Note the key of a request in the caller's transaction.

    Raises:
        KeyUsed: with another path or body. The transaction is rolled back.
    """
    request = _hash(path.encode() + b"\n" + body)
    parameters = {"owner": user_id, "key_hash": _hash(key.encode()), "request_hash": request}
    row_key = db.session.scalar(_NOTE, parameters)
    if row_key is not None:
        return Key(uuid.UUID(str(row_key)))
    noted = db.session.execute(_NOTED, parameters).one()
    if noted.request != request:
        db.session.rollback()
        raise KeyUsed
    return Key(uuid.UUID(str(noted.row_key)), is_used=True)


@nightly("idempotency.purge_old_keys")
def purge_old_keys(timestamp: int) -> None:
    purge(IdempotencyKey, _EXPIRED)


def _hash(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(data).digest()[:16])
