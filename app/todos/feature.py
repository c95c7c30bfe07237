"""Todos."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.figures import Figure, Figures, kept
from app.todos import api, views
from app.todos.portable import DELETED, TODOS
from app.todos.service import QUOTA

FEATURE = Feature(
    blueprints=[views.bp],
    api=api,
    scopes={"todos:read": _("Read todos"), "todos:write": _("Change todos")},
    portable=TODOS,
    records={"deleted_todos": DELETED},
    figure=Figure(
        label=_("Todos done"),
        number=kept(Figures.todos_done),
        of=kept(Figures.todos),
        name=_("Todos"),
        room=QUOTA.room_left(),
        advice=_("Deleting some makes room after a day."),
    ),
    menu=MenuEntry(endpoint="todos.index", icon="list-checks", label=_("Todos")),
)
