"""The form of a photo upload, and a sentence for each reason to refuse one."""

import re

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from wtforms import Field, StringField
from wtforms.validators import ValidationError
from wtforms.widgets import FileInput

from app.photos.containers import Reason
from app.photos.decoding import Crop

SENTENCES = {
    Reason.EMPTY: _("Choose a photo."),
    Reason.TOO_LARGE: _("This photo is larger than 5 MB. Choose a smaller one."),
    Reason.NOT_AN_IMAGE: _("That file isn't a JPEG, PNG, GIF or WebP photo. Choose another one."),
    Reason.HEIF: _(
        "We can't read HEIC or AVIF photos. On an iPhone, choose the photo from Photo Library; on other devices, save"
        " it as a JPEG first."
    ),
    Reason.DIMENSIONS: _(
        "This photo is too small or too large: at least 32 pixels per side, at most 9 million in all. Save a larger "
        "one as a JPEG of up to 25 million."
    ),
    Reason.TOO_COMPLEX: _("This photo is too complex. Save it again as a JPEG or PNG."),
    Reason.DAMAGED: _("This photo is damaged. Choose another one."),
    Reason.CROP: _("The square is outside the photo. Place it again."),
}

PIXELS = re.compile(r"[0-9]{1,5}")  # no accepted photo has a longer side


class PhotoForm(FlaskForm):
    # Takes many, so that a request with two photos can be refused. The page's button chooses one. Not HEIC: then an
    # iPhone sends a JPEG. Required, so that the page's style sheet knows whether one is chosen.
    photo = MultipleFileField(
        _("Photo"),
        widget=FileInput(),
        render_kw={"accept": "image/jpeg,image/png,image/gif,image/webp", "required": True},
    )
    # photo.js sends these. Without them the largest square in the middle is taken.
    # With a label, since WTForms would look for a translation of the field's name.
    crop_x = StringField("")
    crop_y = StringField("")
    crop_size = StringField("")

    def validate_photo(self, field: Field) -> None:
        if len(field.data or []) != 1:
            raise ValidationError(_("Choose one photo."))
        if any(self.placed) and not all(PIXELS.fullmatch(value) for value in self.placed):
            raise ValidationError(SENTENCES[Reason.CROP])

    @property
    def placed(self) -> list[str]:
        return [field.data or "" for field in (self.crop_x, self.crop_y, self.crop_size)]

    @property
    def crop(self) -> Crop | None:
        """Return the square, once the form is valid; None if no numbers were sent."""
        return Crop(*map(int, self.placed)) if any(self.placed) else None
