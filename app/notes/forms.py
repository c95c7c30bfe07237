"""The forms of a note, and the rules for its title and text."""

import re
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, StringField, TextAreaField
from wtforms.validators import ValidationError

from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH
from app.web.fields import at_most, no_control_characters, normalize, one_line, strip

VERSION = re.compile(r"[0-9]{1,9}")  # fits the integer column; nobody edits a note a billion times


def title_field(**kwargs: Any) -> StringField:
    checks = [at_most(TITLE_LENGTH), no_control_characters, one_line]
    return StringField(_("Title"), filters=[normalize, strip], validators=checks, **kwargs)


class NoteForm(FlaskForm):
    title = title_field()
    content = TextAreaField(
        _("Text"),
        filters=[normalize],
        validators=[at_most(CONTENT_LENGTH), no_control_characters],
    )

    def validate_content(self, field: Field) -> None:
        if not (self.title.data or field.data.strip()):
            raise ValidationError(_("Please write a title or some text."))


class NewNoteForm(NoteForm):
    title = title_field(id="new-note")  # the shortcut `n` moves the focus here, see js/keys.js


class EditNoteForm(NoteForm):
    version = HiddenField("")  # optimistic locking: the version that the editor was opened with

    def validate_version(self, field: Field) -> None:
        if not VERSION.fullmatch(field.data or ""):
            raise ValidationError(_("This page didn't load completely. Open the note again."))
        field.data = int(field.data)
