"""What a reader is told when a page was not counted: what happened, and what to do."""

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from app.quotas import QuotaReached
from app.web.formats import number
from app.web.throttling import waiting_time
from app.wordcounts.failures import INTERRUPTED, Failure
from app.wordcounts.rate_limits import HourlyLimitReached, TooManyUnfinished

SENTENCES = {
    Failure.URL: _("This is not a web address; please copy it once more from your browser."),
    Failure.SCHEME: _("The address has to begin with http:// or https://; please add that."),
    Failure.PORT: _(
        "The address names a port that pages are not served on; please leave the number after the colon out."
    ),
    Failure.CREDENTIALS: _("The address holds a user name or a password; please take out what stands before the @."),
    Failure.DNS: _("There is no website of this name; please check how it is spelled."),
    Failure.ADDRESS: _("This address is not on the public internet; please choose a page that everybody can open."),
    Failure.REDIRECTS: _("The page sends its visitors on too many times; please give the address where you end up."),
    Failure.DEADLINE: _("The page took too long to answer; please try again later."),
    Failure.NETWORK: _("The connection to the page broke off; please try again later."),
    Failure.TLS: _("The website could not prove that it is the real one; please choose another page."),
    Failure.TOO_LARGE: _("The page is larger than 2 MiB; please choose a shorter one."),
    Failure.ENCODING: _("The page arrived packed in a way that we do not read; please choose another page."),
    Failure.CONTENT_TYPE: _("This is neither a web page nor plain text; please choose an address that shows text."),
    Failure.TOO_COMPLEX: _("The page is too complicated for us to read; please choose another page."),
    Failure.EMPTY: _("The page is empty; please open it in your browser and check its address."),
    Failure.HTTP_4XX: _("The website does not show this page; please check that it opens without signing in."),
    Failure.HTTP_5XX: _("The website has trouble just now; please try again later."),
    INTERRUPTED: _("The counting was interrupted too often; please try again."),
}


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
            "Too many of your pages are still waiting to be counted. Wait %(time)s and try again.", time=time
        )
    else:
        sentence = gettext(
            "You have asked for as many pages as one may in an hour. Wait %(time)s and try again.", time=time
        )
    return sentence
