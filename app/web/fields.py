"""Parts of all forms: normalizing text, refusing some of it, and writing the attributes of fields."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from markupsafe import Markup, escape
from wtforms import Field, Form, widgets
from wtforms.fields import Flags
from wtforms.validators import Length, ValidationError
from wtforms.widgets import core

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


def init_app(app: Flask) -> None:
    """Write the attributes of fields without a template for each.

    WTForms writes every attribute with `Markup.format`: 7 µs each, a fifth of the sign-in page. This writes the same
    text in a tenth of the time. Delete it once WTForms does.
    """
    widgets.html_params = html_params  # of labels
    core.html_params = html_params  # of text areas and selects
    widgets.Input.html_params = staticmethod(html_params)
    Flags.__dir__ = lambda flags: list(vars(flags))  # asked at each field; WTForms lists 30 methods besides


def html_params(**attributes: Any) -> Markup:
    """Write attributes as WTForms does: sorted; True is an attribute without a value, False is none."""
    written = [
        core.clean_key(name) if value is True else f'{core.clean_key(name)}="{_quoted(value)}"'
        for name, value in sorted(attributes.items())
        if value is not False
    ]
    return Markup(" ".join(written))  # noqa: S704 - every value is escaped


def _quoted(value: object) -> str:
    """Escape a value, also a quotation mark in what is HTML already."""
    return str(escape(value)).replace('"', "&quot;")
