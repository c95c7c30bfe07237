"""What all forms share: how text is normalized, and which text is refused."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from wtforms import Field, Form
from wtforms.validators import Length, ValidationError

from app.rejection import Rejected
from app.web.formats import number

# Control characters except tab and line feed, and lone surrogates. PostgreSQL would fail on NUL and on surrogates.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def normalize(value: str | None) -> str:
    """NFC, since macOS may send decomposed Hangul; LF, since browsers send CRLF. Done before characters are counted."""
    return unicodedata.normalize("NFC", value or "").replace("\r\n", "\n").replace("\r", "\n")


def strip(value: str) -> str:
    return value.strip()


def at_most(length: int) -> Length:
    """At most so many code points, as PostgreSQL counts them."""
    return Length(max=length, message=_("Please use at most %(max)s characters.", max=LazyString(number, length)))


def has_control_characters(value: str) -> bool:
    return CONTROL.search(value) is not None


def no_control_characters(form: Form, field: Field) -> None:
    if has_control_characters(field.data):
        raise ValidationError(_("This text contains an invisible control character. Type it again."))


def one_line(form: Form, field: Field) -> None:
    if "\n" in field.data:
        raise ValidationError(_("Please write this in one line."))


def rejection_sentence(error: Rejected, sentences: Mapping[Any, object]) -> str:
    """Why a file was refused.

    Args:
        sentences: a sentence for each reason; it may name the `place`.
    """
    sentence = str(sentences[error.reason])
    return sentence % {"place": error.place} if error.place else sentence
