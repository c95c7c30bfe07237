"""Word counts of web pages."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.figures import Figure, Figures, kept
from app.wordcounts import api, tasks, views
from app.wordcounts.commands import count
from app.wordcounts.portable import UNFINISHED, WORDCOUNTS
from app.wordcounts.service import QUOTA

FEATURE = Feature(
    blueprints=[views.bp],
    api=api,
    scopes={"wordcounts:read": _("Read word counts"), "wordcounts:write": _("Start word counts")},
    tasks=tasks,
    commands=[count],
    portable=WORDCOUNTS,
    records={"unfinished_wordcounts": UNFINISHED},
    figure=Figure(
        label=_("Word counts"),
        number=kept(Figures.results_done),
        name=_("Word counts"),
        room=QUOTA.room_left(),
        advice=_("Deleting some makes room after a day."),
    ),
    menu=MenuEntry(endpoint="wordcounts.index", icon="chart-bar", label=_("Word count")),
)
