"""What a reader is told when a page was not counted: what happened, and what to do."""

from urllib.parse import urlsplit

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from app.quotas import QuotaReached
from app.web.formats import number
from app.web.throttling import waiting_time
from app.wordcounts.failures import CANCELLED, INTERRUPTED, Failure
from app.wordcounts.rate_limits import HourlyLimitReached, TooManyUnfinished

SENTENCES = {
    Failure.URL: _("This is not a web address; please copy it again from your browser."),
    Failure.SCHEME: _("The address must start with http:// or https://; please add that."),
    Failure.PORT: _("Web pages are not served on that port; please remove the number after the colon."),
    Failure.CREDENTIALS: _("The address contains a user name or a password; please remove everything before the @."),
    Failure.DNS: _("This website could not be found; please check the spelling of its address."),
    Failure.ADDRESS: _("This address is not on the public internet; please choose a page that everyone can open."),
    Failure.REDIRECTS: _("The page redirects too many times; please use the address where you end up."),
    Failure.DEADLINE: _("The page took too long to answer; please try again later."),
    Failure.NETWORK: _("The connection to the page was lost; please try again later."),
    Failure.TLS: _("The website's certificate is not valid; please choose another page."),
    Failure.TOO_LARGE: _("The page is larger than 2 MiB; please choose a shorter one."),
    Failure.ENCODING: _("The page is compressed in a way that we cannot read; please choose another page."),
    Failure.CONTENT_TYPE: _("This is neither a web page nor plain text; please choose an address that shows text."),
    Failure.TOO_COMPLEX: _("The page is too complex for us to read; please choose another page."),
    Failure.EMPTY: _("The page is empty; please open it in your browser and check its address."),
    Failure.HTTP_4XX: _("The website does not show this page; please check that it opens without signing in."),
    Failure.HTTP_5XX: _("The website is having problems; please try again later."),
    INTERRUPTED: _("The count was interrupted too often; please try again."),
    CANCELLED: _("The count was cancelled."),
}


def failure_sentence(code: str, url: str) -> str:
    """The sentence of a code. Newer releases may have stored codes that this one does not know.

    Args:
        url: the address that was asked for.
    """
    port = urlsplit(url).netloc.rpartition(":")[2] if code == Failure.PORT else ""
    if not port.isdecimal():
        return str(SENTENCES.get(code, SENTENCES[INTERRUPTED]))
    sentence: str = gettext(
        "Web pages are not served on port %(port)s; please remove “:%(port)s” from the address.", port=port
    )
    return sentence


def quota_sentence(error: QuotaReached) -> str:
    sentence: str = gettext(
        "You keep %(most)s word counts, and no more fit. Delete some; there is room a day later.",
        most=number(error.most),
    )
    return sentence


def rate_limit_sentence(error: HourlyLimitReached | TooManyUnfinished) -> str:
    """Name the limit and when to try again."""
    time = waiting_time(error)
    if isinstance(error, TooManyUnfinished):
        sentence: str = gettext(
            "Too many of your pages are still being counted. Wait %(time)s and try again.", time=time
        )
    else:
        sentence = gettext(
            "You have counted as many pages as one can in an hour. Wait %(time)s and try again.", time=time
        )
    return sentence
