"""Storage quotas: how many rows of a feature one person may store (ASVS 5.0 V2.4.1, resource exhaustion).

What is in the trash counts too, since it is stored. The quotas are far beyond what anybody types; they stop a program.

The INSERT itself asks whether there is room, by the kept figure of what the person stores. Requests that run at the
same moment do not see each other's rows, so the quota may be exceeded by no more than their number.
"""

from typing import Any

from sqlalchemy import (
    BindParameter,
    Insert,
    Integer,
    Row,
    ScalarSelect,
    String,
    Text,
    bindparam,
    case,
    cast,
    func,
    insert,
    select,
)

from app.extensions import Base, db
from app.figures.kept import kept
from app.figures.models import Figures

NEARLY_FULL = 0.9  # from this part of a quota on, my page says how much room is left


class QuotaReached(Exception):
    """The person stores as many rows as one may. Nothing was stored.

    Args:
        most: the quota.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Quota:
    """
    Args:
        model: has `user_id`, and a figure named after the table: `notes_stored`.
        most: rows that one person may store.
    """

    def __init__(self, model: type[Base], most: int) -> None:
        self.most = most
        self._table = Base.metadata.tables[model.__tablename__]
        self._stored = kept(Figures.__table__.c[f"{model.__tablename__}_stored"])

    def insert(self, *columns: str) -> Insert:
        """An INSERT of one row with `owner` and these columns as parameters, for `store`. It inserts none beyond the
        quota."""
        # A literal has no type of its own in a SELECT. As text, what is too long is refused and not cut off.
        types = {name: self._table.c[name].type for name in columns}
        values = [
            cast(bindparam(name, type_=kind), Text() if isinstance(kind, String) else kind)
            for name, kind in types.items()
        ]
        row = select(self._owner(), *values).where(self._stored < self._most())
        return insert(self._table).from_select(["user_id", *columns], row)

    def store(self, statement: Insert, user_id: int, **values: object) -> Row[*tuple[Any, ...]]:
        """Run an INSERT of `insert`, and return its RETURNING. The caller commits. Raises: QuotaReached."""
        stored = db.session.execute(statement, {"owner": user_id, **values}).one_or_none()
        if stored is None:
            db.session.rollback()
            raise QuotaReached(self.most)
        return stored

    def enforce(self, user_id: int) -> None:
        """After rows were inserted by other means. Raises: QuotaReached, and the caller rolls back."""
        if db.session.scalar(select(self._stored > self._most()), {"owner": user_id}):
            raise QuotaReached(self.most)

    def room_left(self) -> ScalarSelect[int | None]:
        """For my page: how many rows still fit. NULL while the quota is far away."""
        left = func.greatest(self._most() - self._stored, 0)
        return select(case((self._stored >= self._most() * NEARLY_FULL, left))).scalar_subquery()

    def _most(self) -> BindParameter[int]:
        """Read at each execution, so that the statements are built once."""
        return bindparam("quota_most", callable_=lambda: self.most, type_=Integer, unique=True)

    def _owner(self) -> Any:
        return bindparam("owner", type_=self._table.c.user_id.type)
