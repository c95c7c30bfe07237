"""Bulk insert of what an import brings."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import JSON, ColumnElement, Integer, Text, bindparam, cast, column, exists, func, insert, select, true

from app.extensions import Base, db
from app.limits.quotas import Quota
from app.portability.contract import Item


class BulkImporter:
    """Inserts rows in batches, in their order, and leaves out those that the user has already (idempotent import).

    Args:
        model: has `id` and `user_id`.
        columns: the columns that an item sets.
        same: the columns by which a stored row and an item are the same.
        batch: rows in one INSERT.
        quota: of the model's rows.
        counts: which stored rows are compared with; None compares with all.
    """

    def __init__(
        self,
        model: type[Base],
        columns: Sequence[str],
        same: Sequence[str],
        batch: int,
        quota: Quota,
        counts: ColumnElement[bool] | None = None,
    ) -> None:
        table = Base.metadata.tables[model.__tablename__]
        rows = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
        new = rows.table_valued(
            column("place", Integer), *(column(name, table.c[name].type) for name in columns), name="new"
        ).render_derived(with_types=True)
        owner = bindparam("owner", type_=table.c.user_id.type)
        # Compared only with rows from before the import: two equal items of one export are both imported.
        is_here = exists().where(
            table.c.user_id == owner,
            table.c.id <= bindparam("before"),
            *(table.c[name] == new.c[name] for name in same),
            true() if counts is None else counts,
        )
        arriving = select(owner, *(new.c[name] for name in columns)).where(~is_here).order_by(new.c.place)
        self._insert = insert(table).from_select(["user_id", *columns], arriving)
        # Of all users: one row of the primary key. A user's own last id has no index that serves it everywhere.
        self._last = select(func.coalesce(func.max(table.c.id), 0))
        self._batch = batch
        self._quota = quota

    def store(self, user_id: int, rows: Iterable[Item]) -> int:
        """Insert without a commit. Returns how many rows were new.

        Raises:
            QuotaReached: there are more than the user may store. The caller rolls back.
        """
        before = db.session.execute(self._last).scalar_one()
        new = 0
        rest = iter(rows)
        while batch := list(islice(rest, self._batch)):
            placed = [{"place": place, **row} for place, row in enumerate(batch)]
            # As UTF-8: escaped, Korean is twice as long, which costs memory here and time in the database.
            sent = json.dumps(placed, ensure_ascii=False, separators=(",", ":"))
            stored = db.session.execute(self._insert, {"owner": user_id, "before": before, "rows": sent})
            new += stored.rowcount  # type: ignore[attr-defined]
        if new:  # what was there before is nobody's fault
            self._quota.enforce(user_id)
        return new
