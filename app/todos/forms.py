"""Read what a request sends: the forms of a todo, and the place in the list that it is about."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TypedDict

from flask import abort, request, url_for
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import DateField, Field, HiddenField, StringField
from wtforms.validators import ValidationError

from app.keyset import Cursor
from app.search_words import tokens_of
from app.todos import listing
from app.todos.models import DESCRIPTION_LENGTH, EARLIEST, LATEST
from app.todos.service import Changes
from app.web.access import requested
from app.web.answers import go_to
from app.web.fields import at_most, no_control_characters, normalize, one_line, strip

# Values of `?show=`: done todos or open ones. Older bookmarks say "open".
COMPLETED = {None: False, "open": False, "today": False, "done": True}
SORTS = (None, "due")


def description_field(label: object, **options: str) -> StringField:
    return StringField(
        label,
        filters=[normalize, strip],
        validators=[at_most(DESCRIPTION_LENGTH), no_control_characters, one_line],
        **options,
    )


class DayField(DateField):
    """A day as browsers send it (ISO 8601), or none. Far-off years are refused, since they are typing mistakes."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        self.data = None
        typed = valuelist[0].strip() if valuelist else ""
        if not typed:
            return
        try:
            day = date.fromisoformat(typed)
            if day.isoformat() != typed:  # one of the other spellings of ISO 8601
                raise ValueError(typed)
        except ValueError as error:
            raise ValueError(_("Please choose a date that exists.")) from error
        if not EARLIEST <= day <= LATEST:
            raise ValueError(_("Please choose a date from 2000 to 2100."))
        self.data = day


class TodoForm(FlaskForm):
    description = description_field(_("New todo"))
    due_on = DayField(_("Due date"))
    named_day = DayField(_("Due date"))  # one of those that are offered by name

    def validate_description(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(_("Please write a todo."))

    @property
    def due(self) -> date | None:
        """Return the day of the calendar, which counts more than one by name."""
        due: date | None = self.due_on.data or self.named_day.data
        return due


class ChangeTodoForm(TodoForm):
    """A partial update: the tick button sends no description, and the editor does not send `completed`."""

    description = description_field(_("Todo"), id="changed-description")
    due_on = DayField(_("Due date"), id="changed-due-on")
    completed = HiddenField("")

    def validate_description(self, field: Field) -> None:
        if field.raw_data or not self.completed.raw_data:
            super().validate_description(field)

    def validate_completed(self, field: Field) -> None:
        if field.raw_data not in ([], ["0"], ["1"]):
            raise ValidationError(_("Go back and use the buttons on the page."))

    def changes(self) -> Changes:
        """Return the values of the fields that were sent."""
        changes: Changes = {}
        if self.description.raw_data:
            changes["description"] = self.description.data
        if self.due_on.raw_data:
            changes["due_on"] = self.due_on.data
        if self.completed.raw_data:
            changes["completed"] = self.completed.data == "1"
        return changes


class Place(TypedDict):
    """The part of the list on the screen. Every form has it in its URL and returns to it."""

    q: str | None
    show: str | None
    sort: str | None
    before: Cursor | None


def requested_place() -> Place:
    """Return the place of `?show=`, `?sort=` and `?before=`; 400 for any other value, before anything is stored.

    A search, `?q=`, is of all todos and in an order of its own.
    """
    query = " ".join(token[0] for token in tokens_of(request.args.get("q", "")))
    show, sort = request.args.get("show"), request.args.get("sort") or None
    if show not in COMPLETED or sort not in SORTS or (query and (show or sort)):
        abort(400)
    before = requested("before", partial(Cursor.parse, bounds=listing.KEY_BOUNDS))
    return {"q": query or None, "show": show, "sort": sort, "before": before}


def return_to(place: Place, anchor: str | None = None) -> Response:
    return go_to(url_for("todos.index", **place, _anchor=anchor))
