"""The import form, and the sentence for each reason to refuse an archive."""

from typing import IO

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import BooleanField, Field
from wtforms.validators import ValidationError
from wtforms.widgets import FileInput

from app.portability.rejection import ArchiveRejected, Reason
from app.web.fields import rejection_sentence

SENTENCES = {
    Reason.TOO_LARGE: _(
        "This ZIP is larger than 128 MB. Take the folder “notes” out of a copy of it and try that one."
    ),
    Reason.NOT_A_ZIP: _("This is not a ZIP file; please choose the one that you exported."),
    Reason.NOT_OURS: _("This ZIP is no export of Semicircle."),
    Reason.UNSAFE: _("This ZIP holds files that no export has; please choose the one that you exported."),
    Reason.TOO_MUCH: _("There is more in this ZIP than can be imported at once."),
    Reason.TOO_SLOW: _(
        "This took too long, so nothing was imported. Try again in a few minutes, when less is going on here."
    ),
    Reason.QUOTA: _(
        "With this ZIP you would keep more than fits, so nothing was imported. Delete some first: %(place)s"
    ),
    Reason.VERSION: _("This export is of another version, which we cannot read."),
    Reason.DAMAGED: _("This ZIP is damaged; please download or copy it once more."),
    Reason.INVALID: _("Something in this ZIP is not as it was exported, so nothing was imported: %(place)s"),
    Reason.PHOTO: _("The photo in this ZIP cannot be read, so nothing was imported."),
}


class ImportForm(FlaskForm):
    # Takes many, so that a request with two archives can be refused. The page's button chooses one.
    archive = MultipleFileField(_("ZIP file"), widget=FileInput(), render_kw={"accept": ".zip,application/zip"})
    replace_photo = BooleanField(_("Use the photo in the ZIP instead of mine"))

    def validate_archive(self, field: Field) -> None:
        if len(field.data or []) != 1 or not field.data[0].filename:
            raise ValidationError(_("Choose one ZIP file."))

    def file(self) -> IO[bytes]:
        stream: IO[bytes] = self.archive.data[0].stream
        return stream

    def refuse(self, error: ArchiveRejected) -> None:
        self.archive.errors = [sentence_of(error)]


def sentence_of(error: ArchiveRejected) -> str:
    return rejection_sentence(error, SENTENCES)
