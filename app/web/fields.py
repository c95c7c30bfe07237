"""What the forms share: how text is cleaned, and which text is refused."""

import re
import unicodedata

from flask_babel import lazy_gettext as _
from wtforms import Field, Form
from wtforms.validators import Length, ValidationError

# Controls but for tab and line feed, and lone surrogates. Postgres refuses NUL and surrogates with an error of its own.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def normalize(value: str | None) -> str:
    """NFC, as macOS may hand over decomposed Hangul; line feeds, as browsers send CRLF. Before anything is counted."""
    return unicodedata.normalize("NFC", value or "").replace("\r\n", "\n").replace("\r", "\n")


def strip(value: str) -> str:
    return value.strip()


def at_most(length: int) -> Length:
    """A limit in code points, as Postgres counts them."""
    return Length(max=length, message=_("Please use at most %(max)d characters."))


def has_control_characters(value: str) -> bool:
    return CONTROL.search(value) is not None


def no_control_characters(form: Form, field: Field) -> None:
    if has_control_characters(field.data):
        raise ValidationError(_("There is an invisible control character in this text; please type it again."))


def one_line(form: Form, field: Field) -> None:
    if "\n" in field.data:
        raise ValidationError(_("Please write this in one line."))
