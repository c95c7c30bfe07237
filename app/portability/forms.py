"""The form of an import, and a sentence for each reason to refuse an archive."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import BooleanField, Field
from wtforms.validators import ValidationError
from wtforms.widgets import FileInput

from app.portability.archive import Reason

SENTENCES = {
    Reason.TOO_LARGE: _("This ZIP is larger than 128 MB. Make a copy, remove its “notes” folder and try again."),
    Reason.NOT_A_ZIP: _("This isn't a ZIP file. Choose the one that you exported."),
    Reason.NOT_OURS: _("This ZIP isn't a Semicircle export. Choose one that you exported."),
    Reason.UNSAFE: _("This ZIP contains files that exports don't have. Choose the ZIP that you exported."),
    Reason.TOO_MUCH: _("This ZIP holds more than we can import at once."),
    Reason.TOO_SLOW: _(
        "This took too long, so nothing was imported. Try again in a few minutes, when we're less busy."
    ),
    Reason.QUOTA: _("This ZIP would take you over the limit, so nothing was imported. Delete some first: %(place)s"),
    Reason.VERSION: _("This export is from a version that we can't read."),
    Reason.DAMAGED: _("This ZIP is damaged. Download or copy it again."),
    Reason.INVALID: _("Something in this ZIP was changed after the export, so nothing was imported: %(place)s"),
    Reason.PHOTO: _("We couldn't read the photo in this ZIP, so nothing was imported."),
}


class ImportForm(FlaskForm):
    # Takes many, so that a request with two archives can be refused. The page's button chooses one.
    archive = MultipleFileField(_("ZIP file"), widget=FileInput(), render_kw={"accept": ".zip,application/zip"})
    replace_photo = BooleanField(_("Replace my photo with the one in the ZIP"))

    def validate_archive(self, field: Field) -> None:
        if len(field.data or []) != 1 or not field.data[0].filename:
            raise ValidationError(_("Choose one ZIP file."))
