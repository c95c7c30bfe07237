"""Kept figures (counter cache): what a person has, kept by triggers and never counted by a page.

Every night some people's are checked against the rows that they count, and what is wrong is corrected. Nothing should
ever be wrong. What could be: rows that somebody changed with triggers switched off, as a restore may.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

from flask_babel import LazyString
from sqlalchemy import ColumnElement, ForeignKey, bindparam, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from app.extensions import Base, db
from app.jobs.queue import nightly

SECONDS = 60.0  # a night; enough for some ten thousand typical people

log = logging.getLogger(__name__)


class Figures(Base):
    """Keep how many rows a person has. Triggers alone write it (revision 0025); who has no row of it has nothing.

    `notes` are those of the list, without the archive. `…_stored` counts that and the trash too, and is what a storage
    quota is about.
    """

    __tablename__ = "figures"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    notes: Mapped[int] = mapped_column(server_default="0")
    notes_stored: Mapped[int] = mapped_column(server_default="0")
    todos: Mapped[int] = mapped_column(server_default="0")
    todos_done: Mapped[int] = mapped_column(server_default="0")
    todos_stored: Mapped[int] = mapped_column(server_default="0")
    results_done: Mapped[int] = mapped_column(server_default="0")
    results_stored: Mapped[int] = mapped_column(server_default="0")
    notes_archived: Mapped[int] = mapped_column(server_default="0")


@dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """Describe a number on My page, and how many more rows may be stored, as columns of one statement."""

    label: LazyString  # of the number
    number: ColumnElement[Any]
    of: ColumnElement[Any] | None = None  # the number of all of which `number` are done; None: it stands alone
    name: LazyString  # of the rows that there may be no room for
    room: ColumnElement[Any]  # how many more there may be; NULL while that is far away (app/limits/quotas.py)
    advice: LazyString  # how to make room


def kept(figure: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[Any]:
    """Return a column of Figures, of the person whom the parameter `owner` names, as a part of another statement."""
    return func.coalesce(select(figure).where(Figures.user_id == bindparam("owner")).scalar_subquery(), 0)


# Take the person who was counted longest ago. The owner's row is locked before the figures, as everywhere. A person
# whose row is locked is passed over, and comes the next night.
_CHECK_ONE = text(
    """
    WITH due AS MATERIALIZED (
      SELECT id FROM users WHERE figures_counted_at < now() - interval '12 hours'
      ORDER BY figures_counted_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE users SET figures_counted_at = now() FROM due WHERE users.id = due.id
    RETURNING recount_figures(users.id) AS wrong
    """
)


@nightly("figures.check")
def check_figures(timestamp: int) -> None:
    """Check people, each in a transaction, until the time is over or all were checked today, and log what was wrong.

    Who has many notes is kept from writing for as long as counting them takes.
    """
    checked = wrong = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        of_one = db.session.scalar(_CHECK_ONE)
        db.session.commit()
        if of_one is None:
            break
        checked, wrong = checked + 1, wrong + of_one
    log.log(logging.WARNING if wrong else logging.INFO, "figures: checked=%d wrong=%d", checked, wrong)
