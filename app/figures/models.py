"""Kept figures (counter cache): what a person has, kept by triggers and never counted by a page."""

from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from app.extensions import Base


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


def kept(figure: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[Any]:
    """Return a column of Figures, of the person whom the parameter `owner` names, as a part of another statement."""
    return func.coalesce(select(figure).where(Figures.user_id == bindparam("owner")).scalar_subquery(), 0)
