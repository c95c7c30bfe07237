"""What the server refuses by itself, before the application is asked.

Alone, since the buffers raise these and the worker answers them.
"""


class Refused(Exception):
    """Answer the client with `status` and `advice`, and close the connection."""

    status: int
    reason: str  # of the status, as RFC 9110, section 15 names it
    advice: str


class TooManyUploads(Refused):
    """As many long bodies as there is room for are on their way."""

    status, reason = 503, "Service Unavailable"
    advice = "Too many large uploads; try again in a minute."


class VersionNotSupported(Refused):
    """The request is of another version than HTTP/1.0 and HTTP/1.1 (RFC 9110, section 15.6.6)."""

    status, reason = 505, "HTTP Version Not Supported"
    advice = "Use HTTP/1.1."
