"""The form of an import, and a sentence for each reason to refuse an archive or a file of it."""

from typing import IO

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, Field
from wtforms.validators import ValidationError

from app.portability.archive import Reason
from app.portability.bundles import is_bundle, is_note, packed
from app.portability.notebooks import Missing

SENTENCES = {
    Reason.TOO_LARGE: _("This ZIP is larger than 128 MB. Make a copy, remove its “notes” folder and try again."),
    Reason.NOT_A_ZIP: _("We can't read this file. Choose a ZIP, a JEX file, or Markdown or text files."),
    Reason.NOT_OURS: _(
        "We found no notes in it. Choose an export from Semicircle, Obsidian, Joplin or Google Keep, or Markdown files."
    ),
    Reason.UNSAFE: _("This ZIP contains files that exports don't have. Choose the ZIP that you exported."),
    Reason.TOO_MUCH: _("This ZIP holds more than we can import at once."),
    Reason.TOO_SLOW: _(
        "This took too long, so nothing was imported. Try again in a few minutes, when we're less busy."
    ),
    Reason.QUOTA: _("This ZIP would take you over the limit, so nothing was imported. Delete some first: %(place)s"),
    Reason.FORMAT: _("This export has a format that we can't read: %(place)s"),
    Reason.DAMAGED: _("This ZIP is damaged. Download or copy it again."),
    Reason.INVALID: _("Something in this ZIP was changed after the export, so nothing was imported: %(place)s"),
    Reason.PHOTO: _("We couldn't read the photo in this ZIP, so nothing was imported."),
}
MISSING = {
    Missing.TOO_LONG: _("Too long for a note"),
    Missing.EMPTY: _("Without any text that can be seen"),
    Missing.UNREADABLE: _("Text we can't read"),
    Missing.LOCKED: _("Encrypted"),
    Missing.IN_TRASH: _("In the trash of the other app"),
    Missing.OTHER: _("Not notes, such as pictures"),
}


class ImportForm(FlaskForm):
    archive = MultipleFileField(_("Files"))
    folder = MultipleFileField(_("Or a folder"), render_kw={"webkitdirectory": True})
    replace_photo = BooleanField(_("Replace my photo with the one in the ZIP"))

    def validate_archive(self, field: Field) -> None:
        chosen = self.files()
        if not chosen or (len(chosen) > 1 and all(is_bundle(file.stream) for file in chosen)):
            raise ValidationError(_("Choose one ZIP, or Markdown and text files."))

    def files(self) -> list[FileStorage]:
        """Return the files that were chosen. Browsers send a field without a file as one without a name."""
        return [file for file in (*(self.archive.data or []), *(self.folder.data or [])) if file.filename]

    def bundle(self) -> IO[bytes]:
        """Return the one ZIP or JEX that was chosen, or other files as a ZIP."""
        files = self.files()
        is_one = len(files) == 1 and not is_note(files[0].filename or "")
        if is_one or is_bundle(files[0].stream):
            return files[0].stream
        return packed((file.filename or "", file.stream) for file in files)
