"""Todos."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.todos import api, tasks, views
from app.todos.figures import FIGURES
from app.todos.portable import TODOS

FEATURE = Feature(
    blueprints=[views.bp],
    api=api,
    scopes={"todos:read": _("Read todos"), "todos:write": _("Change todos")},
    tasks=tasks,
    portable=TODOS,
    figures=FIGURES,
    menu=MenuEntry(endpoint="todos.index", icon="list-checks", label=_("Todos")),
)
