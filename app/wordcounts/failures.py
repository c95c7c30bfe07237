"""Why a page could not be fetched: a closed set of codes. Their sentences are in app/wordcounts/sentences.py."""

import enum


class Code(enum.StrEnum):
    """What went wrong. Nothing more is told, since a message of the network may hold an inner address."""

    URL = enum.auto()  # not a web address that can be read
    SCHEME = enum.auto()  # neither http nor https
    PORT = enum.auto()  # neither 80 nor 443
    CREDENTIALS = enum.auto()  # a user name or a password in the URL
    DNS = enum.auto()  # the name has no address
    ADDRESS = enum.auto()  # not an address of the public internet
    REDIRECTS = enum.auto()  # too many of them
    DEADLINE = enum.auto()  # the time was up
    NETWORK = enum.auto()  # refused, cut off, or not HTTP
    TLS = enum.auto()  # no secure connection, or a certificate that does not hold
    TOO_LARGE = enum.auto()  # more than MAX_BYTES of app/wordcounts/fetch.py
    ENCODING = enum.auto()  # compressed otherwise than was asked for, or damaged
    CONTENT_TYPE = enum.auto()  # neither HTML nor plain text
    TOO_COMPLEX = enum.auto()  # takes more time or memory to read than app/wordcounts/sandbox.py gives it
    EMPTY = enum.auto()  # an answer without a page
    HTTP_4XX = enum.auto()  # the server has no such page, or does not show it
    HTTP_5XX = enum.auto()  # the server fails


INTERRUPTED = "worker"  # the one failure that is not the page's: a count never came to its end


class FetchFailed(Exception):
    """There is no page to count; `code` says why, and `may_pass` whether another try may succeed."""

    def __init__(self, code: Code, *, may_pass: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.may_pass = may_pass
