"""Rate limits: a token bucket for each limit and each person, address or account, in PostgreSQL.

A bucket holds `capacity` tokens, and one comes back every `refill`. A request takes one; an empty bucket refuses it.
What is stored is the one moment at which the bucket will be full again. A token moves it forward by `refill`, and a
bucket that would be full later than `capacity` refills from now is empty (generic cell rate algorithm): one column and
one statement, which no two requests at once can pass together.

Each take is a transaction of its own, so a rollback of the request gives no token back. A refused try changes nothing,
so nobody is locked out for longer than one refill. When the database does not answer, the limits fail closed: the
request ends in a 503. The table holds keyed hashes (HMAC) of names, never an email address or an IP address.
"""

import hashlib
import hmac
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from typing import NamedTuple

from flask import current_app
from sqlalchemy import String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, db, on_primary
from app.soft_delete import purged_nightly


class Limit(NamedTuple):
    name: str  # part of each bucket's key
    capacity: int  # tokens in a full bucket, so how many requests may come at once
    refill: timedelta  # the time in which one token comes back


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

# These count failures only: the token is taken before the password is checked, and given back when it was right.
# In an hour 10 + 100 guesses at an account reach its hash, from however many addresses (Warehouse: 10 in 5 minutes).
SIGN_IN_BY_ACCOUNT = Limit("sign-in-by-account", 10, HOUR / 100)
SIGN_IN_BY_DEVICE = Limit("sign-in-by-device", 10, HOUR / 100)  # a browser that signed in before
SIGN_IN_BY_ADDRESS = Limit("sign-in-by-address", 20, 5 * MINUTE / 20)  # Warehouse: 10 in 5 minutes; twice that for NAT
# Right answers are limited too, because each writes rows and a password costs a hash. Strangers have none.
SIGN_INS = Limit("sign-ins", 30, MINUTE)  # of an account, by the right password
PASSKEY_SIGN_INS = Limit("passkey-sign-ins", 30, MINUTE)  # of an account; a stolen password does not use these up
RIGHT_PASSWORDS = Limit("right-passwords", 30, MINUTE)  # of a person, asked for again
RECOVERY_CODE_SETS = Limit("recovery-code-sets", 10, HOUR / 10)  # each hashes ten codes
PASSWORD_BY_PERSON = Limit("password-by-person", 10, HOUR / 10)  # asked for again; failures only, as at sign-in
PASSKEYS_BY_ADDRESS = Limit("passkeys-by-address", 30, HOUR / 120)  # challenges: each is a row for five minutes
RECOVERY_CODES = Limit("recovery-codes", 10, HOUR / 10)  # of an account, by who knows its password; failures only
SIGN_UP_BY_ADDRESS = Limit("sign-up-by-address", 30, HOUR / 30)  # a school class behind one address
SIGN_UP_BY_LINK = Limit("sign-up-by-link", 20, HOUR / 20)  # tries behind one mailed link; each may hash a password
MAILS_BY_ADDRESS = Limit("mails-by-address", 20, HOUR / 20)  # links that one network asks for
# Links into one mailbox. Strangers may use such a limit up, so each is of one kind of letter and refills within the
# lifetime of a link: where it refuses, the mailbox has a letter of that kind whose link still works.
RESETS_TO = Limit("resets-to", 5, HOUR / 5)
SIGN_UPS_TO = Limit("sign-ups-to", 5, HOUR / 5)
# Who asks is known, so these are theirs: nobody uses up the limit of somebody else's mailbox.
EMAIL_CHANGES = Limit("email-changes", 5, HOUR / 5)
EMAIL_CONFIRMATIONS = Limit("email-confirmations", 5, HOUR / 5)
PHOTOS = Limit("photos", 20, HOUR / 20)  # a photo holds the decoder for up to 3 s
EXPORTS = Limit("exports", 10, HOUR / 10)
IMPORTS = Limit("imports", 10, HOUR / 10)
WRITES = Limit("writes", 120, MINUTE / 120)  # every POST of a signed-in person; nobody types as fast
API_READS = Limit("api-reads", 600, MINUTE / 600)  # every GET of a person's programs; what they write counts above


class Standing(NamedTuple):
    """The state of a bucket after a take, for the fields RateLimit and RateLimit-Policy."""

    limit: Limit
    remaining: int  # tokens
    reset: int  # seconds until it is full again


class RateLimited(Exception):
    """A limit is reached. In `seconds` it is worth trying again: the value of Retry-After."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Bucket(Base):
    """A bucket that is not full. A full one needs no row."""

    __tablename__ = "rate_limits"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 - SQLAlchemy's name and type

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    full_at: Mapped[datetime] = mapped_column(index=True)


# The condition is checked on the locked, newest row. Of the seconds, the main query sees the row as it was before.
_TAKE = text(
    """
    WITH taken AS (
        INSERT INTO rate_limits (id, full_at) VALUES (:id, now() + :refill)
        ON CONFLICT (id) DO UPDATE SET full_at = greatest(rate_limits.full_at, now()) + :refill
        WHERE greatest(rate_limits.full_at, now()) + :refill <= now() + :window
        RETURNING full_at
    )
    SELECT CASE WHEN EXISTS (SELECT FROM taken) THEN 0 ELSE greatest(1, ceil(extract(epoch FROM
        (SELECT full_at FROM rate_limits WHERE id = :id) + :refill - :window - now()))) END::int AS seconds,
        coalesce(extract(epoch FROM (SELECT full_at FROM taken) - now()), 0)::float AS until_full
    """
)
_GIVE_BACK = text("UPDATE rate_limits SET full_at = full_at - :refill WHERE id = :id")


def take(limit: Limit, key: str | int) -> Standing:
    """Take a token, in a transaction of its own. Call it before the request has changed anything.

    The key is a user's id, an email address or `app.web.proxy.client_network()`. Raises: RateLimited.
    """
    window = limit.capacity * limit.refill
    parameters = {"id": _bucket_id(limit, key), "refill": limit.refill, "window": window}
    taken = on_primary(_TAKE, parameters).one()
    if db.session().in_transaction():
        db.session.commit()
    if taken.seconds:
        raise RateLimited(taken.seconds)
    left = (window.total_seconds() - taken.until_full) / limit.refill.total_seconds()
    return Standing(limit, math.floor(left + 1e-6), math.ceil(taken.until_full))


def give_back(limit: Limit, key: str | int) -> None:
    """Give a token back: what it was taken for does not count."""
    db.session.execute(_GIVE_BACK, {"id": _bucket_id(limit, key), "refill": limit.refill})
    db.session.commit()


@contextmanager
def spent(limit: Limit, key: str | int) -> Iterator[None]:
    """Take a token for what is done inside. An error that passes through gives it back: it was not done.

    Concurrent requests cannot exceed the limit, as they could if the token was taken afterwards. Raises: RateLimited.
    """
    take(limit, key)
    try:
        yield
    except Exception:
        db.session.rollback()  # what the caller has begun is not committed with the token
        give_back(limit, key)
        raise


class ProcessBuckets:
    """Token buckets of one process, for reads, which need no exactness: they cost no statement.

    Several processes together let that many times the limit through.
    """

    MOST = 1000  # buckets; beyond, all are forgotten, and so begin full again

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._full_at: dict[tuple[str, str | int], float] = {}

    def take(self, limit: Limit, key: str | int) -> Standing:
        """Take a token. Raises: RateLimited."""
        refill = limit.refill.total_seconds()
        with self._lock:
            now = self._clock()
            until_full = max(self._full_at.get((limit.name, key), now) - now, 0.0) + refill
            missing = until_full - limit.capacity * refill
            if missing > 1e-6:
                raise RateLimited(math.ceil(missing))
            if len(self._full_at) >= self.MOST:
                self._full_at.clear()
            self._full_at[limit.name, key] = now + until_full
        return Standing(limit, math.floor(limit.capacity - until_full / refill + 1e-6), math.ceil(until_full))


purge_full_buckets = purged_nightly("rate_limits.purge_full_buckets", (Bucket, Bucket.full_at <= func.now()))


def _bucket_id(limit: Limit, key: str | int) -> str:
    secret = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(secret, f"rate limit {limit.name} {key}".encode(), hashlib.sha256).hexdigest()
