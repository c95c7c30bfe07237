"""The figures of todos on My page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.figures import Figures, kept
from app.todos.service import QUOTA

FIGURES: Mapping[str, ColumnElement[Any]] = {
    "todos": kept(Figures.todos),
    "todos_done": kept(Figures.todos_done),
    "todos_left": QUOTA.room_left(),
}
