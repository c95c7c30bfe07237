"""Read what a request sends: the forms of a note, the selection of several notes, and the page to return to."""

import re
from collections.abc import Sequence
from typing import Any

from flask import request
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Field, HiddenField, StringField, TextAreaField
from wtforms.validators import ValidationError

from app.keyset import IDS
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH
from app.notes.selection import MOST_SELECTED
from app.notes.texts import tags_of
from app.web.access import local_path
from app.web.fields import at_most, lines, no_control_characters, normalize, one_line, strip

VERSION = re.compile(r"[0-9]{1,9}")  # fits the integer column; nobody edits a note a billion times
LONGEST_RETURN_URL = 600  # characters, so that it fits into the session cookie together with a message
ACTIONS = ("tag", "pin", "unpin", "archive", "delete")
ID = re.compile("[1-9][0-9]{0,18}")


def title_field(**kwargs: Any) -> StringField:
    checks = [at_most(TITLE_LENGTH), no_control_characters, one_line]
    return StringField(_("Title"), filters=[normalize, strip], validators=checks, **kwargs)


class NoteForm(FlaskForm):
    title = title_field()
    content = TextAreaField(
        _("Text"), filters=[normalize, lines], validators=[at_most(CONTENT_LENGTH), no_control_characters]
    )

    def validate_content(self, field: Field) -> None:
        if not (self.title.data or strip(field.data)):
            raise ValidationError(_("Please write a title or some text."))


class NewNoteForm(NoteForm):
    title = title_field(id="new-note")  # the shortcut `n` moves the focus here, see js/keys.js


class EditNoteForm(NoteForm):
    version = HiddenField("")  # optimistic locking: the version that the editor was opened with

    def validate_version(self, field: Field) -> None:
        if not VERSION.fullmatch(field.data or ""):
            raise ValidationError(_("This page didn't load completely. Open the note again."))
        field.data = int(field.data)


class Selection:
    """Notes of a list, what to do to them, and the tag that they get: what was sent, as far as it makes sense.

    Raises: ValueError: no page of ours sends this.
    """

    def __init__(self, fields: MultiDict[str, str]) -> None:
        notes = fields.getlist("note")
        if not all(ID.fullmatch(note) and int(note) in IDS for note in notes):
            raise ValueError("not ids of a page of notes")
        if fields.get("action") not in ACTIONS:
            raise ValueError("not an action")
        self.ids: Sequence[int] = sorted({int(note) for note in notes})
        self.action = fields["action"]
        self.tag = normalize(fields.get("tag")).strip().removeprefix("#")

    @property
    def error(self) -> str:
        """Return a sentence that says what is missing; empty if nothing is."""
        if not self.ids:
            return str(gettext("Select at least one note first."))
        if len(self.ids) > MOST_SELECTED:
            return str(gettext("Select up to %(most)s notes at a time.", most=MOST_SELECTED))
        if self.action == "tag" and not is_tag(self.tag):
            return str(gettext("Write one tag, such as #book: up to 30 letters or digits, without a space."))
        return ""


def is_tag(text: str) -> bool:
    return tags_of("", f"#{text}") == [text.lower()]


def return_url(default: str) -> str:
    """Return the page to return to, of the field or parameter `next`. Only local paths: no open redirect."""
    back = local_path(request.values.get("next"), default)
    return back if len(back) <= LONGEST_RETURN_URL else default
