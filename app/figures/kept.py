"""Kept figures (counter cache): what a person has, as a part of another statement. See app/figures/models.py."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.figures.models import Figures


def kept(figure: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[Any]:
    """A column of Figures, of the person whom the parameter `owner` names."""
    return func.coalesce(select(figure).where(Figures.user_id == bindparam("owner")).scalar_subquery(), 0)
