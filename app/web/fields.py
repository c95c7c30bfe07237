"""Parts of all forms: normalizing text, and refusing some of it."""

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from wtforms import Field, Form
from wtforms.validators import Length, ValidationError

from app.characters import BLANK, composed
from app.rejection import Rejected
from app.web.formats import number

# Control characters except tab and line feed, and lone surrogates. PostgreSQL would fail on NUL and on surrogates.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# The mandatory breaks of UAX 14 besides CR and LF: VT, FF, NEL, LS and PS. Copied texts have them.
AS_LINE_FEEDS, AS_SPACES = (str.maketrans(dict.fromkeys("\v\f\x85\u2028\u2029", to)) for to in "\n ")


def normalize(value: str | None) -> str:
    """Convert to NFC, since macOS may send decomposed Hangul, and to LF, before characters are counted."""
    return composed(value or "").replace("\r\n", "\n").replace("\r", "\n")


def lines(value: str) -> str:
    """Return a text of several lines, each ended by LF."""
    return value.translate(AS_LINE_FEEDS)


def strip(value: str) -> str:
    """Return a text of one line without blanks around it; an empty one if nothing in it is visible."""
    return "" if BLANK.fullmatch(value) else value.translate(AS_SPACES).strip()


def at_most(length: int) -> Length:
    """Allow at most so many code points, as PostgreSQL counts them."""
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
    """Return the sentence why a file was refused: that of the reason, which may name the `place`."""
    sentence = str(sentences[error.reason])
    return sentence % {"place": error.place} if error.place else sentence
