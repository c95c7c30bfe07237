"""Guess ten thousand times at one account in an hour: how many reach the hash, and does its owner get in meanwhile?

From one address, and from five hundred. The hour is not waited for: after each guess the buckets are moved on to the
moment at which it would have come. Run: .venv/bin/python -m tools.bench.guesses [GUESSES]
"""

import secrets
import sys
import time
from contextvars import Context
from functools import partial

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.accounts import hashing, service
from app.extensions import db
from tools.bench.service import application, upgrade

GUESSES = 10_000
HOUR = 3600.0  # seconds
ADDRESSES = (1, 500)
OWNER_VISITS = 20  # in the hour
MOST = 120  # guesses that may reach the hash

_PASS = text("UPDATE rate_limits SET full_at = full_at - make_interval(secs => :seconds)")


class Clock:
    """Keep the time of the buckets, which is real time and what is added to it."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.added = 0.0

    def move_on_to(self, moment: float) -> None:
        missing = moment - self.added - (time.monotonic() - self.start)
        if missing > 0:
            db.session.execute(_PASS, {"seconds": missing})
            db.session.commit()
            self.added += missing


def sign_in(browser: FlaskClient, email: str, password: str, address: str) -> int:
    form = {"email": email, "password": password}
    post = partial(browser.post, "/sign-in", data=form, environ_base={"REMOTE_ADDR": address})
    return Context().run(post).status_code  # inside the block's context it would keep its `g`


def trial(app: Flask, hashed: list[str], addresses: int, guesses: int) -> bool:
    """Attack a fresh account and print a line. Return whether its owner always got in and the hash was spared."""
    email, password = f"owner{addresses}@example.com", secrets.token_hex(20)
    service.sign_up(email, f"owner{addresses}", password)
    known = app.test_client()
    visits = [sign_in(known, email, password, "198.51.100.1")]
    hashed.clear()
    clock = Clock()
    for number in range(guesses):
        address = f"10.0.{number % addresses // 250}.{number % addresses % 250}"
        sign_in(app.test_client(), email, f"guess {number}", address)
        clock.move_on_to(HOUR * (number + 1) / guesses)
        if number % (guesses // OWNER_VISITS) == 0:
            visits.append(sign_in(known, email, password, "198.51.100.1"))
    reached = sum(word.startswith("guess") for word in hashed)
    print(
        f"{guesses} guesses in an hour from {addresses:3} addresses: {reached} reached the hash;"
        f" the owner signed in {visits.count(302)} of {len(visits)} times from a known browser"
        f" ({time.monotonic() - clock.start:.0f} s of real time)"
    )
    return reached <= MOST and set(visits) == {302}


def count_hashes(hashed: list[str]) -> None:
    """Note each password that is compared with a hash."""
    original = hashing.matches

    def matches(password: str, password_hash: str | None) -> bool:
        hashed.append(password)
        return original(password, password_hash)

    hashing.matches = matches


def main() -> None:
    guesses = int(sys.argv[1]) if len(sys.argv) > 1 else GUESSES
    with application() as app:
        app.config["WTF_CSRF_ENABLED"] = False  # a stranger's program has fetched its token
        upgrade()
        hashed: list[str] = []
        count_hashes(hashed)
        held = [trial(app, hashed, addresses, guesses) for addresses in ADDRESSES]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
