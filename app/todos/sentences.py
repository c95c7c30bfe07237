"""By when a todo is to be done, and which todo a message is about, in the reader's words."""

from datetime import date

from flask_babel import gettext as _

from app.web.formats import day
from app.web.locale import today

SHOWN = 60  # code points of a description in a message, which has to fit into the session's cookie


def due(value: date) -> str:
    """ "Due today"; in words alone, as not everybody sees colours."""
    days = (value - today()).days
    if days < 0:
        sentence: str = _("Overdue since %(day)s", day=day(value))
    elif days == 0:
        sentence = _("Due today")
    elif days == 1:
        sentence = _("Due tomorrow")
    else:
        sentence = _("Due %(day)s", day=day(value))
    return sentence


def named(description: str) -> str:
    """The beginning of a description; marked so that its direction of writing does not turn the sentence around."""
    shown = description if len(description) <= SHOWN else f"{description[: SHOWN - 1].rstrip()}…"
    return f"\u2068{shown}\u2069"
