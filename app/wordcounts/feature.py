"""Word counts of web pages."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.wordcounts import api, tasks, views
from app.wordcounts.commands import count
from app.wordcounts.figures import FIGURES
from app.wordcounts.portable import WORDCOUNTS

FEATURE = Feature(
    blueprints=[views.bp],
    api=api,
    scopes={"wordcounts:read": _("Read word counts"), "wordcounts:write": _("Start word counts")},
    tasks=tasks,
    commands=[count],
    portable=WORDCOUNTS,
    figures=FIGURES,
    menu=MenuEntry(endpoint="wordcounts.index", icon="chart-bar", label=_("Word count")),
)
