"""What a person may change on their own page."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import Field
from wtforms.validators import ValidationError
from wtforms.widgets import FileInput

from app.accounts.forms import current_password_field, new_password_field, nickname_field
from app.mypage.photo import PhotoRejected, Reason

REFUSALS = {
    Reason.EMPTY: _("Choose a photo."),
    Reason.TOO_LARGE: _("This photo is larger than 5 MiB; please choose a smaller one."),
    Reason.NOT_AN_IMAGE: _("That file is not a JPEG, PNG, GIF or WebP image."),
    Reason.DIMENSIONS: _(
        "This image has too few or too many pixels: at least 32 a side, at most 12.5 million, as a JPEG 25 million."
    ),
    Reason.TOO_COMPLEX: _("This image is built in too complex a way; please save it anew as a JPEG or PNG."),
    Reason.DAMAGED: _("This image is damaged; please choose another one."),
}


class PhotoForm(FlaskForm):
    # A field of many, with a button for one: a browser sends one, and whoever sends two is told so.
    photo = MultipleFileField(
        _("Photo"), widget=FileInput(), render_kw={"accept": "image/jpeg,image/png,image/gif,image/webp"}
    )

    def validate_photo(self, field: Field) -> None:
        if len(field.data or []) != 1:
            raise ValidationError(_("Choose one photo."))

    def refuse(self, error: PhotoRejected) -> None:
        self.photo.errors = [str(REFUSALS[error.reason])]


class NicknameForm(FlaskForm):
    nickname = nickname_field()


class PasswordForm(FlaskForm):
    current_password = current_password_field(_("Current password"))
    new_password = new_password_field(_("New password"))


class DeletionForm(FlaskForm):
    password = current_password_field(_("Password"))
