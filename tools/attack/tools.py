"""What the attacks on the API share: a token, and tools in a virtual environment, since we do not depend on them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.accounts import access_tokens, events
from app.accounts.models import User
from tools.bench.http.venvs import virtual_environment
from tools.bench.site import Site

FOLDER = Path(__file__).parent
EVERY = 0.2  # seconds; nobody sends what a full bucket allows within them
# A limit that refuses hides what is behind it. Those of word counts count rows, so the rows become old. A generator
# sends one Idempotency-Key with many bodies, which is refused for a day.
EMPTIED = """
    DELETE FROM rate_limits;
    DELETE FROM idempotency_keys;
    UPDATE results SET created_at = now() - interval '1 day' WHERE created_at > now() - interval '1 hour'
"""


def token_of(site: Site, user: User) -> str:
    """A token that may do everything."""
    with site.app.app_context():
        return access_tokens.make_token(user.id, "all", ["read", "write"], None, events.Client("127.0.0.1", ""))


def programs() -> Path:
    """The folder of the tools' programs."""
    return virtual_environment("attack", FOLDER / "requirements.txt")


@contextmanager
def without_limits(site: Site) -> Iterator[None]:
    """Meanwhile the limits of this site start afresh several times a second. They have tests of their own."""
    over = threading.Event()

    def empty() -> None:
        while not over.wait(EVERY):
            site.rows(EMPTIED)

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
