"""The figures of todos on my page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ScalarSelect, bindparam, func, select

from app.todos.models import Todo
from app.todos.service import QUOTA

_COUNT = select(func.count()).select_from(Todo).where(Todo.user_id == bindparam("owner"), Todo.deleted_at.is_(None))
FIGURES: Mapping[str, ScalarSelect[Any]] = {
    "todos": _COUNT.scalar_subquery(),
    "todos_done": _COUNT.where(Todo.completed).scalar_subquery(),
    "todos_left": QUOTA.room_left(),
}
