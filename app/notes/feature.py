"""Notes."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.notes import api, note_views, tasks, views
from app.notes.figures import BY_DAY, FIGURE
from app.notes.portable import HISTORY, NOTES

FEATURE = Feature(
    blueprints=[views.bp, note_views.links],
    api=api,
    scopes={"notes:read": _("Read notes"), "notes:write": _("Change notes")},
    tasks=tasks,
    portable=NOTES,
    records={"note_versions": HISTORY},
    figure=FIGURE,
    by_day=BY_DAY,
    menu=MenuEntry(endpoint="notes.index", icon="sticky-note", label=_("Notes")),
)
