"""Limit what a person stores: no more rows than a quota (ASVS 5.0 V2.4.1, resource exhaustion), and nothing twice.

The INSERT itself asks for room, by the kept figure of what the person stores. Requests that run at the same moment do
not see each other's rows, so the quota may be exceeded by no more than their number.

Idempotency keys: a program that lost an answer sends its request again, and it is obeyed once. The key is the program's
own and holds for a day, whatever becomes of what the request creates. It is noted in the same transaction, so either
both are there or neither is. Concurrent requests with one key wait for the commit of the first. The INSERT stores
nothing for a key that a row of this person has, as a unique index decides. A key that is known to be used stores
nothing either, so what was deleted since does not come back.
"""

import hashlib
import uuid
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, Row, String, bindparam, case, cast, func, select
from sqlalchemy.dialects.postgresql import TEXT, Insert, insert
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Id, db, on_primary
from app.figures import Figures, kept
from app.follower.writes import alone
from app.soft_delete import purged_nightly

NEARLY_FULL = 0.9  # from this part of a quota on, my page says how much room is left
KEY_KEPT = timedelta(hours=24)


class KeyUsed(Exception):
    """Another request had this key within KEY_KEPT. Nothing was changed."""


class Key(NamedTuple):
    """A request, as services know it."""

    row_key: uuid.UUID  # is stored with the rows that it creates
    is_used: bool = False  # it came before and was obeyed. So it creates nothing, also if those rows are gone


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "user_id", "key", unique=True),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key: Mapped[uuid.UUID]  # a hash of what was sent
    request: Mapped[uuid.UUID]  # a hash of the path and the body
    row_key: Mapped[uuid.UUID] = mapped_column(server_default=func.gen_random_uuid())  # of the rows that it creates
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


_EXPIRED = IdempotencyKey.created_at <= func.now() - KEY_KEPT
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


def note_key(user_id: int, key: str, path: str, body: bytes) -> Key:
    """Note the key of a request in the caller's transaction. Raises: KeyUsed, by another path or body; rolled back."""
    request = _hash(path.encode() + b"\n" + body)
    parameters = {"owner": user_id, "key_hash": _hash(key.encode()), "request_hash": request}
    row_key = db.session.scalar(_NOTE, parameters)
    if row_key is not None:
        return Key(row_key)
    noted = db.session.execute(_NOTED, parameters).one()
    if noted.request != request:
        db.session.rollback()
        raise KeyUsed
    return Key(noted.row_key, is_used=True)


purge_old_keys = purged_nightly("idempotency.purge_old_keys", (IdempotencyKey, _EXPIRED))


def _hash(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(data).digest()[:16])


class QuotaReached(Exception):
    """The person stores as many rows as one may, `most`. Nothing was stored."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class StoredBefore(Exception):
    """The request came twice: `row_id` is the row that the first one stored. Nothing was stored now."""

    def __init__(self, row_id: int) -> None:
        super().__init__(row_id)
        self.row_id = row_id


class DeletedSince(Exception):
    """The request came before, and what it stored then is deleted for good. Nothing was stored now."""


class Quota:
    def __init__(self, model: type[Base], most: int) -> None:
        """Take a model with `user_id`, and for `insert` with `idempotency_key`.

        Rows without a figure named after their table, as `notes_stored` is, are counted: then `most` has to be small.
        """
        self.most = most
        self._table = Base.metadata.tables[model.__tablename__]
        columns = self._table.c
        self._owner = bindparam("owner", type_=columns.user_id.type)
        figure = Figures.__table__.c.get(f"{model.__tablename__}_stored")
        own = select(func.count()).where(columns.user_id == self._owner)
        self._stored = own.scalar_subquery() if figure is None else kept(figure)

    def insert(self, *columns: str) -> Insert:
        """Build an INSERT of no row beyond the quota or twice. The owner, the key and these columns are parameters."""
        # A literal has no type of its own in a SELECT. As text, what is too long is refused and not cut off.
        types = {name: self._table.c[name].type for name in (*columns, "idempotency_key")}
        values = [
            cast(bindparam(name, type_=kind), TEXT() if isinstance(kind, String) else kind)
            for name, kind in types.items()
        ]
        row = select(self._owner, *values).where(self._stored < self._most())
        return insert(self._table).from_select(["user_id", *types], row).on_conflict_do_nothing()

    def store(
        self, statement: Any, user_id: int, key: Key | None, *, is_alone: bool = False, **values: object
    ) -> Row[*tuple[Any, ...]]:
        """Run an INSERT of `insert`, and return its RETURNING. The caller commits. Without a key it is always stored.

        Args:
            is_alone: nothing else is to be in its transaction.
        Raises: StoredBefore, DeletedSince, QuotaReached: nothing was stored; the transaction is rolled back.
        """
        if key is None or not key.is_used:
            parameters = {"owner": user_id, "idempotency_key": key and key.row_key, **values}
            stored = (alone if is_alone else on_primary)(statement, parameters).one_or_none()
            if stored is not None:
                return stored
        db.session.rollback()
        if key is not None:
            columns = self._table.c
            own = select(columns.id).where(columns.user_id == user_id, columns.idempotency_key == key.row_key)
            row_id = db.session.scalar(own)
            db.session.rollback()
            if row_id is not None:
                raise StoredBefore(row_id)
            if key.is_used:
                raise DeletedSince
        raise QuotaReached(self.most)

    def enforce(self, user_id: int) -> None:
        """Check the quota after rows were inserted by other means. Raises: QuotaReached, and the caller rolls back."""
        if db.session.scalar(select(self._stored > self._most()), {"owner": user_id}):
            raise QuotaReached(self.most)

    def room_left(self) -> ColumnElement[int | None]:
        """Select how many rows still fit, for my page. NULL while the quota is far away."""
        left = func.greatest(self._most() - self._stored, 0)
        return select(case((self._stored >= self._most() * NEARLY_FULL, left))).scalar_subquery()

    def _most(self) -> ColumnElement[int]:
        """Read at each execution, so that the statements are built once."""
        return bindparam("quota_most", callable_=lambda: self.most, type_=Integer, unique=True)
