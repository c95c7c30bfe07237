"""The form that asks for a word count, and a sentence for each reason why there is none."""

import re
from urllib.parse import urlsplit

import regex
from flask import current_app
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import ValidationError

from app.characters import INVISIBLE
from app.limits.quotas import QuotaReached
from app.web.answers import waiting_time
from app.web.fields import at_most
from app.web.formats import number
from app.wordcounts import fetching
from app.wordcounts.failures import CANCELLED, INTERRUPTED, Failure, FetchFailed
from app.wordcounts.models import URL_LENGTH
from app.wordcounts.service import HourlyLimitReached, TooManyUnfinished

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?![0-9])", re.IGNORECASE)  # digits after the colon are a port

# White space and characters without any shape, as they come along when an address is copied from a text. A variation
# selector belongs to the letter before it.
BLANK = rf"[[\s{INVISIBLE}]--\p{{Variation_Selector}}]"
EDGES = regex.compile(rf"(?V1)\A{BLANK}+|(?<!{BLANK}){BLANK}+\Z")

SENTENCES = {
    Failure.URL: _("This isn't a web address. Copy it again from your browser."),
    Failure.SCHEME: _("Start the address with http:// or https://."),
    Failure.PORT: _("Web pages can't be opened on that port. Remove the colon and the number after it."),
    Failure.CREDENTIALS: _("The address contains a user name or a password. Remove everything before the @."),
    Failure.DNS: _("We couldn't find this website. Check the spelling of its address."),
    Failure.ADDRESS: _("This address isn't on the public internet. Choose a page that everyone can open."),
    Failure.REDIRECTS: _("The page redirects too many times. Use the address you end up at."),
    Failure.DEADLINE: _("The page took too long to respond. Try again later."),
    Failure.NETWORK: _("The page stopped halfway. Try again later."),
    Failure.TLS: _("The website's certificate isn't valid. Choose another page."),
    Failure.TOO_LARGE: _("The page is larger than 2 MB. Choose a shorter one."),
    Failure.ENCODING: _("The page is compressed in a way we can't read. Choose another page."),
    Failure.CONTENT_TYPE: _("This isn't a web page or plain text. Choose an address that shows text."),
    Failure.TOO_COMPLEX: _("The page is too complex for us to read. Choose another page."),
    Failure.EMPTY: _("The page is empty. Open it in your browser and check its address."),
    Failure.SCRIPTS: _(
        "There's no text on this page until its scripts run, and we don't run them. Choose another page."
    ),
    Failure.FRAMES: _("There's no text on this page, only another website inside it. Use the address of that one."),
    Failure.HTTP_4XX: _("The website won't show us this page. Check that it opens without signing in."),
    Failure.HTTP_5XX: _("The website is having problems. Try again later."),
    INTERRUPTED: _("The count was interrupted too often. Try again."),
    CANCELLED: _("Word count canceled."),
}


def trimmed(value: str | None) -> str:
    """Strip what is blank and change nothing else: another Unicode form of the same letters may be another page."""
    return EDGES.sub("", value or "")


def with_scheme(url: str) -> str:
    """Add a missing https://, as a browser's address bar does: `example.com/a` is https://example.com/a."""
    return url if SCHEME.match(url) or not url else f"https://{url.removeprefix('//')}"


class AddressField(StringField):
    """A field whose data is the address with its scheme; a page shows it as it was typed."""

    def _value(self) -> str:
        return trimmed(self.raw_data[0]) if self.raw_data else str(super()._value())


class AskForm(FlaskForm):
    url = AddressField(_("Web page address"), filters=[trimmed, with_scheme], validators=[at_most(URL_LENGTH)])

    def validate_url(self, field: Field) -> None:
        if field.errors:
            return
        if not field.data:
            raise ValidationError(_("Please enter the address of a web page."))
        try:
            fetching.parse_url(field.data, current_app.config["PAGE_SERVERS"])
        except FetchFailed as error:  # the worker would refuse it too
            raise ValidationError(failure_sentence(error.code, field.data)) from error


def failure_sentence(code: str, url: str) -> str:
    """Return the sentence of a code for this address. Newer releases may have stored codes that are unknown here."""
    port = urlsplit(url).netloc.rpartition(":")[2] if code == Failure.PORT else ""
    if not port.isdecimal():
        return str(SENTENCES.get(code, SENTENCES[INTERRUPTED]))
    return str(gettext("Web pages can't be opened on port %(port)s. Remove “:%(port)s” from the address.", port=port))


def quota_sentence(error: QuotaReached) -> str:
    sentence: str = gettext(
        "You've reached the limit of %(most)s word counts. Delete some, and there's room after a day.",
        most=number(error.most),
    )
    return sentence


def rate_limit_sentence(error: HourlyLimitReached | TooManyUnfinished) -> str:
    """Name the limit and when to try again."""
    time = waiting_time(error)
    if isinstance(error, TooManyUnfinished):
        return str(gettext("Too many of your pages are still being counted. Try again in %(time)s.", time=time))
    return str(gettext("You've reached the hourly limit for word counts. Try again in %(time)s.", time=time))
