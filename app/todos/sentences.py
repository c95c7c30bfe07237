"""The words for a due date, and a description as a message shows it, in the reader's language."""

from datetime import date, timedelta

from flask_babel import gettext as _

from app.web.formats import deadline
from app.web.locale import today

SHOWN = 60  # code points of a description in a message, which has to fit into the session cookie


def due(value: date) -> str:
    """A due date such as "Due today". Words say that it is overdue, since not everybody sees colours."""
    days = (value - today()).days
    if days < 0:
        sentence: str = _("Overdue · was due %(day)s", day=deadline(value))
    elif days == 0:
        sentence = _("Due today")
    elif days == 1:
        sentence = _("Due tomorrow")
    else:
        sentence = _("Due %(day)s", day=deadline(value))
    return sentence


def due_choices(first: date) -> list[tuple[date, str]]:
    """The days that a new todo is offered by name.

    Args:
        first: today. The next week begins on its Monday (ISO 8601), which on a Sunday is offered as tomorrow.
    """
    tomorrow, monday = first + timedelta(days=1), first + timedelta(days=7 - first.weekday())
    choices = [(first, _("Today")), (tomorrow, _("Tomorrow"))]
    return choices if monday == tomorrow else [*choices, (monday, _("Next week"))]


def for_message(description: str) -> str:
    """The beginning of a description, in bidi isolates so that right-to-left text does not reorder the sentence."""
    shown = description if len(description) <= SHOWN else f"{description[: SHOWN - 1].rstrip()}…"
    return f"\u2068{shown}\u2069"
