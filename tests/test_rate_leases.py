"""Leases of tokens: fewer statements, and never more tokens than the bucket has, whoever holds them."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.extensions import db
from app.limits import rate_limits
from app.limits.rate_leases import KEPT, OFTEN, SIZE, Leases
from app.limits.rate_limits import Limit, RateLimited
from config import TestingConfig
from tests.databases import Environment

LIMIT = Limit("test", 60, timedelta(seconds=1))


class Clock:
    """Time stands still within the transaction of a test, so the buckets move instead."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        db.session.execute(
            text("UPDATE rate_limits SET full_at = full_at - make_interval(secs => :seconds)"), {"seconds": seconds}
        )


@pytest.fixture
def clock(app: Flask) -> Iterator[Clock]:
    with app.app_context():
        yield Clock()


def taken(leases: Leases, tries: int, limit: Limit = LIMIT) -> int:
    got = 0
    for _ in range(tries):
        try:
            leases.take(limit, "a")
        except RateLimited:
            continue
        got += 1
    return got


def test_who_asks_fast_needs_few_statements(clock: Clock, statements: list[str]) -> None:
    assert taken(Leases(clock), 1 + 2 * SIZE) == 1 + 2 * SIZE
    assert len(statements) == 3


def test_who_asks_slowly_takes_one_token_at_a_time(clock: Clock) -> None:
    leases = Leases(clock)
    for _ in range(5):
        assert leases.take(LIMIT, "a").remaining == LIMIT.capacity - 1
        clock.pass_time(OFTEN)


def test_it_hands_out_what_the_bucket_holds_and_no_more(clock: Clock) -> None:
    leases = Leases(clock)
    assert taken(leases, 100) == LIMIT.capacity
    clock.pass_time(3)
    assert taken(leases, 100) == 3


def test_the_standing_counts_what_the_process_holds(clock: Clock) -> None:
    leases = Leases(clock)
    standings = [leases.take(LIMIT, "a") for _ in range(15)]
    assert [standing.remaining for standing in standings] == list(range(59, 44, -1))
    clock.pass_time(2.5)
    assert leases.take(LIMIT, "a").reset == standings[-1].reset - 2


def test_what_a_lease_has_left_is_given_back(clock: Clock) -> None:
    leases = Leases(clock)
    taken(leases, 1 + SIZE + 12)
    clock.pass_time(8.5)  # of the second lease twelve are used, and eight have run out
    assert leases.take(LIMIT, "a").remaining == LIMIT.capacity - 1 - SIZE - 12 - 1 + 8


def test_nothing_is_given_back_to_a_bucket_that_was_full(clock: Clock) -> None:
    leases = Leases(clock)
    taken(leases, 2)
    clock.pass_time(SIZE + 2)
    assert rate_limits.take(LIMIT, "a", 30).remaining == LIMIT.capacity - 30
    assert leases.take(LIMIT, "a").remaining == LIMIT.capacity - 31


def test_a_process_that_ended_has_lost_less_than_a_lease(clock: Clock) -> None:
    taken(Leases(clock), 2)
    assert taken(Leases(clock), 100) == LIMIT.capacity - 1 - SIZE


def test_a_lease_ends_with_the_clock(clock: Clock) -> None:
    first, second = Leases(clock), Leases(clock)
    taken(first, 2)
    clock.pass_time(3600)
    assert taken(second, 100) == LIMIT.capacity
    assert taken(first, 100) == 0


@pytest.mark.parametrize("seed", range(4))
def test_processes_together_stay_within_the_limit(clock: Clock, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - made-up traffic
    limit = Limit("small", 50, timedelta(seconds=1))
    processes = [Leases(clock) for _ in range(3)]
    full_at = clock.seconds  # the same bucket in one place
    for _ in range(150):
        clock.pass_time(draw.choice((0, 0, 0.1, 0.4, 2, 15)))
        got = taken(draw.choice(processes), draw.choice((1, 2, 12)), limit)
        full_at = max(full_at, clock.seconds) + got
        assert full_at <= clock.seconds + 50 + 1e-3


def test_a_process_forgets_buckets_rather_than_grow(clock: Clock) -> None:
    leases = Leases(clock)
    taken(leases, 2)
    for number in range(KEPT):
        leases._leases[("test", number)] = leases._leases[("test", "a")]
    leases.take(LIMIT, "a")
    assert len(leases._leases) == 1


def test_requests_at_once_do_not_pass_together(migrated_environment: Environment) -> None:
    app = create_app(TestingConfig(migrated_environment))
    limit = Limit("test", 35, timedelta(hours=1))
    processes = [Leases(), Leases()]

    def ask(number: int) -> int:
        with app.app_context():
            return taken(processes[number % 2], 1, limit)

    with ThreadPoolExecutor(5) as threads:  # as many as the pool has connections
        got = sum(threads.map(ask, range(100)))
    assert got == limit.capacity
    with app.app_context():
        assert rate_limits.take(limit, "b").remaining == 34
        db.session.remove()
        db.engine.dispose()
