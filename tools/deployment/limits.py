"""Limit every wait in time."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Seconds.

    Args:
        command: an answer of the platform's command line.
        push: git push with the build, the tests, or a one-off process.
        release: Heroku ends a release phase after an hour.
        site: until the new processes answer; with preboot the old ones do so for about three minutes.
        request: a request of ours to the site.
        poll: between two questions.
    """

    command: float = 60
    push: float = 1800
    release: float = 3600
    site: float = 300
    request: float = 10
    poll: float = 1
