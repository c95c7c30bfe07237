"""What a reader is told when a page was not counted: what happened, and what to do."""

from urllib.parse import urlsplit

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from app.limits.quotas import QuotaReached
from app.web.formats import number
from app.web.throttling import waiting_time
from app.wordcounts.failures import CANCELLED, INTERRUPTED, Failure
from app.wordcounts.rate_limits import HourlyLimitReached, TooManyUnfinished

SENTENCES = {
    Failure.URL: _("This isn't a web address. Copy it again from your browser."),
    Failure.SCHEME: _("Start the address with http:// or https://."),
    Failure.PORT: _("Web pages can't be opened on that port. Remove the colon and the number after it."),
    Failure.CREDENTIALS: _("The address contains a user name or a password. Remove everything before the @."),
    Failure.DNS: _("We couldn't find this website. Check the spelling of its address."),
    Failure.ADDRESS: _("This address isn't on the public internet. Choose a page that everyone can open."),
    Failure.REDIRECTS: _("The page redirects too many times. Use the address you end up at."),
    Failure.DEADLINE: _("The page took too long to respond. Try again later."),
    Failure.NETWORK: _("We lost the connection to the page. Try again later."),
    Failure.TLS: _("The website's certificate isn't valid. Choose another page."),
    Failure.TOO_LARGE: _("The page is larger than 2 MB. Choose a shorter one."),
    Failure.ENCODING: _("The page is compressed in a way we can't read. Choose another page."),
    Failure.CONTENT_TYPE: _("This isn't a web page or plain text. Choose an address that shows text."),
    Failure.TOO_COMPLEX: _("The page is too complex for us to read. Choose another page."),
    Failure.EMPTY: _("The page is empty. Open it in your browser and check its address."),
    Failure.HTTP_4XX: _("The website won't show us this page. Check that it opens without signing in."),
    Failure.HTTP_5XX: _("The website is having problems. Try again later."),
    INTERRUPTED: _("The count was interrupted too often. Try again."),
    CANCELLED: _("Word count cancelled."),
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
        "Web pages can't be opened on port %(port)s. Remove “:%(port)s” from the address.", port=port
    )
    return sentence


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
        sentence: str = gettext("Too many of your pages are still being counted. Try again in %(time)s.", time=time)
    else:
        sentence = gettext("You've reached the hourly limit for word counts. Try again in %(time)s.", time=time)
    return sentence
