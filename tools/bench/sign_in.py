"""Compare the answers to an address that nobody has with those to a known one: do the doors tell who has an account?

Compared are status, size and time of what is posted to sign-in, forgotten password and sign-up, through the whole
application (user enumeration by a timing side channel). Run: .venv/bin/python -m tools.bench.sign_in
"""

import secrets
import statistics
import sys
import time
from contextvars import Context

from flask import Flask
from sqlalchemy import text

from app.accounts import service
from app.extensions import db
from tests.visitor import Visitor
from tools.bench.service import application, mail, upgrade

TRIES = 200  # of each, in turn, so that a machine that slows down slows both
ADDRESSES = {"known": "somebody@example.com", "unknown": "not-here@example.com"}  # of one length: it stands in a page
DOORS = {"/sign-in": {"password": "not the password"}, "/forgot-password": {}, "/sign-up": {}}


def main() -> None:
    with application(durable=True, **mail()) as app:
        upgrade()
        service.sign_up(ADDRESSES["known"], "known", secrets.token_hex(20))
        db.session.remove()
        for door, fields in DOORS.items():
            Context().run(compare, app, door, fields)  # a request inside the block's context would keep its `g`


def compare(app: Flask, door: str, fields: dict[str, str]) -> None:
    client = Visitor(app)
    token = client.csrf_token()
    times: dict[str, list[float]] = {name: [] for name in ADDRESSES}
    answers: dict[str, set[tuple[int, int]]] = {name: set() for name in ADDRESSES}
    for _ in range(TRIES):
        for name, email in ADDRESSES.items():
            empty_buckets(app)  # the rate limits treat both alike, and would refuse both soon
            start = time.perf_counter()
            answer = client.post(door, data={"csrf_token": token, "email": email, **fields})
            times[name].append(time.perf_counter() - start)
            answers[name].add((answer.status_code, len(answer.data)))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        [(status, size)] = answers[name]
        if status == 400:
            sys.exit(f"{door} refused the form before it looked at the address")
        print(f"{door:16} {name:7}  status {status}  {size} bytes  median {median * 1000:6.2f} ms of {TRIES}")
    same = "the same" if answers["known"] == answers["unknown"] else "NOT the same"
    print(f"{door:16} unknown / known: {medians['unknown'] / medians['known']:.3f}, {same} status and size")


def empty_buckets(app: Flask) -> None:
    with app.app_context():
        db.session.execute(text("TRUNCATE rate_limits"))
        db.session.commit()


if __name__ == "__main__":
    main()
