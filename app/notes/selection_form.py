"""The form around a list of notes to choose from: which notes, what to do to them, and the tag that they get."""

import re
from collections.abc import Sequence

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from app.keyset import IDS
from app.notes.selection import MOST_SELECTED
from app.notes.tags import tags_of
from app.web.fields import normalize

ACTIONS = ("tag", "pin", "unpin", "archive", "delete")
ID = re.compile("[1-9][0-9]{0,18}")


class Selection:
    """What was sent, as far as it makes sense.

    Args:
        fields: `note`, any number of times; `action`; `tag`.

    Raises:
        ValueError: no page of ours sends this.
    """

    def __init__(self, fields: MultiDict[str, str]) -> None:
        notes = fields.getlist("note")
        if len(notes) > MOST_SELECTED or not all(ID.fullmatch(note) and int(note) in IDS for note in notes):
            raise ValueError("not ids of a page of notes")
        if fields.get("action") not in ACTIONS:
            raise ValueError("not an action")
        self.ids: Sequence[int] = sorted({int(note) for note in notes})
        self.action = fields["action"]
        self.tag = normalize(fields.get("tag")).strip().removeprefix("#")

    @property
    def error(self) -> str:
        """A sentence that says what is missing; empty if nothing is."""
        if not self.ids:
            return str(_("Select at least one note first."))
        if self.action == "tag" and tags_of("", f"#{self.tag}") != [self.tag.lower()]:
            return str(_("Write one tag, such as #book: up to 30 letters or digits, without a space."))
        return ""
