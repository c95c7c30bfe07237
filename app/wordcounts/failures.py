"""Why a page was not counted: codes that `results.error` stores and that forms.py tells the reader."""

import enum


class Failure(enum.StrEnum):
    """The reason. It is all that is told: the message of a network error may hold an internal address."""

    URL = enum.auto()  # not a web address that can be read
    SCHEME = enum.auto()  # neither http nor https
    PORT = enum.auto()  # neither 80 nor 443
    CREDENTIALS = enum.auto()  # a user name or a password in the URL
    DNS = enum.auto()  # the name was not found
    ADDRESS = enum.auto()  # not an address of the public internet
    REDIRECTS = enum.auto()  # too many of them
    DEADLINE = enum.auto()  # the time was up
    NETWORK = enum.auto()  # refused, cut off, or not HTTP
    TLS = enum.auto()  # no secure connection, or an invalid certificate
    TOO_LARGE = enum.auto()  # more than MAX_BYTES of fetching/__init__.py
    ENCODING = enum.auto()  # compressed by another method than gzip, or damaged
    CONTENT_TYPE = enum.auto()  # neither HTML nor plain text
    TOO_COMPLEX = enum.auto()  # takes more time or memory to parse than analysis/sandbox.py allows
    EMPTY = enum.auto()  # a response without a page
    SCRIPTS = enum.auto()  # a page without text: its scripts would write it
    FRAMES = enum.auto()  # a page without text, which shows pages of other sites in frames
    HTTP_4XX = enum.auto()  # the server has no such page, or does not show it
    HTTP_5XX = enum.auto()  # the server fails


# The codes that are not the page's fault.
INTERRUPTED = "worker"  # the worker never finished the count
CANCELLED = "cancelled"  # by its owner


class FetchFailed(Exception):
    """There is no page to count, because of `code`. If it `is_transient`, a retry may succeed."""

    def __init__(self, code: Failure, *, is_transient: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.is_transient = is_transient
