"""The figure of word counts on my page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.figures import Figures, kept
from app.wordcounts.service import QUOTA

FIGURES: Mapping[str, ColumnElement[Any]] = {
    "wordcounts": kept(Figures.results_done),
    "wordcounts_left": QUOTA.room_left(),
}
