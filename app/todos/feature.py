"""Todos."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.todos import tasks, views
from app.todos.figures import FIGURES
from app.todos.portable import TODOS

FEATURE = Feature(
    blueprints=[views.bp],
    tasks=tasks,
    portable=TODOS,
    figures=FIGURES,
    menu=MenuEntry(endpoint="todos.index", icon="list-checks", label=_("Todos")),
)
