"""What a person may change on their own page."""

import re

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import Field, SelectField, StringField
from wtforms.validators import ValidationError
from wtforms.widgets import FileInput

from app.accounts.forms import current_password_field, new_password_field, nickname_field
from app.mypage.cropping import Crop
from app.mypage.photo import PhotoRejected, Reason
from app.web.locale import LANGUAGES, time_zones

REFUSALS = {
    Reason.EMPTY: _("Choose a photo."),
    Reason.TOO_LARGE: _("This photo is larger than 5 MiB; please choose a smaller one."),
    Reason.NOT_AN_IMAGE: _("That file is not a JPEG, PNG, GIF or WebP image."),
    Reason.DIMENSIONS: _(
        "This image has too few or too many pixels: at least 32 a side, at most 12.5 million, as a JPEG 25 million, "
        "as a WebP 9 million."
    ),
    Reason.TOO_COMPLEX: _("This image is built in too complex a way; please save it anew as a JPEG or PNG."),
    Reason.DAMAGED: _("This image is damaged; please choose another one."),
    Reason.CROP: _("The square does not lie within the photo; please place it again."),
}

PIXELS = re.compile(r"[0-9]{1,5}")  # no photo that is accepted has a longer side


class PhotoForm(FlaskForm):
    # A field of many, with a button for one: a browser sends one, and whoever sends two is told so.
    photo = MultipleFileField(
        _("Photo"), widget=FileInput(), render_kw={"accept": "image/jpeg,image/png,image/gif,image/webp"}
    )
    # Sent by photo.js; without them the middle is shown.
    crop_x = StringField()
    crop_y = StringField()
    crop_size = StringField()

    def validate_photo(self, field: Field) -> None:
        if len(field.data or []) != 1:
            raise ValidationError(_("Choose one photo."))
        if any(self.placed) and not all(PIXELS.fullmatch(value) for value in self.placed):
            raise ValidationError(REFUSALS[Reason.CROP])

    @property
    def placed(self) -> list[str]:
        return [field.data or "" for field in (self.crop_x, self.crop_y, self.crop_size)]

    @property
    def crop(self) -> Crop | None:
        """Once the form is valid: all three numbers or none."""
        return Crop(*map(int, self.placed)) if any(self.placed) else None

    def refuse(self, error: PhotoRejected) -> None:
        self.photo.errors = [str(REFUSALS[error.reason])]


class NicknameForm(FlaskForm):
    nickname = nickname_field()


class PasswordForm(FlaskForm):
    current_password = current_password_field(_("Current password"))
    new_password = new_password_field(_("New password"))


def one_of_the_list(form: FlaskForm, field: Field) -> None:
    known = LANGUAGES if field.name == "language" else time_zones()
    if field.data != "" and field.data not in known:
        raise ValidationError(_("Please choose one from the list."))


class SettingsForm(FlaskForm):
    """An empty value leaves the choice to each browser."""

    language = SelectField(
        _("Language"),
        choices=lambda: [
            ("", _("As the browser says")),
            *((code, name, {"lang": code}) for code, name in LANGUAGES.items()),
        ],
        validate_choice=False,
        validators=[one_of_the_list],
    )
    time_zone = StringField(_("Time zone"), validators=[one_of_the_list])


class DeletionForm(FlaskForm):
    password = current_password_field(_("Password"))
