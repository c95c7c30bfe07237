"""The form that asks for a word count."""

import re

from flask import current_app
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import ValidationError

from app.web.fields import at_most
from app.wordcounts import fetching
from app.wordcounts.failures import FetchFailed
from app.wordcounts.models import URL_LENGTH
from app.wordcounts.sentences import failure_sentence

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?![0-9])", re.IGNORECASE)  # digits after the colon are a port


def with_scheme(url: str) -> str:
    """Add a missing https://, as a browser's address bar does: `example.com/a` is https://example.com/a."""
    return url if SCHEME.match(url) else f"https://{url.removeprefix('//')}"


def trimmed(value: str | None) -> str:
    """Strip white space and change nothing else: another Unicode form of the same letters may be another page."""
    return (value or "").strip()


class AskForm(FlaskForm):
    url = StringField(_("Web page address"), filters=[trimmed], validators=[at_most(URL_LENGTH)])

    def validate_url(self, field: Field) -> None:
        if field.errors:
            return
        if not field.data:
            raise ValidationError(_("Please enter the address of a web page."))
        url = with_scheme(field.data)
        try:
            fetching.parse_url(url, current_app.config["PAGE_SERVERS"])
        except FetchFailed as error:  # the worker would refuse it too
            raise ValidationError(failure_sentence(error.code, url)) from error
