"""Rate limits: a token bucket that requests at once cannot pass together, and that shuts nobody out for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.limits import rate_limits
from app.limits.rate_limits import Limit, ProcessBuckets, RateLimited, give_back, purge_full_buckets, spent, take
from tests.accounts.conftest import AT_ONCE, won

LIMIT = Limit("test", 3, timedelta(seconds=20))


@pytest.fixture(autouse=True)
def context(request: pytest.FixtureRequest) -> Iterator[None]:
    """Work in the transaction of a test, unless it has a database of its own."""
    if "migrated_environment" in request.fixturenames:
        yield
        return
    app: Flask = request.getfixturevalue("app")
    with app.app_context():
        yield


def pass_time(seconds: float) -> None:
    """now() stands still within the transaction of a test, so the buckets move instead."""
    db.session.execute(text(f"UPDATE rate_limits SET full_at = full_at - make_interval(secs => {seconds})"))


def taken(limit: Limit, key: str, tries: int) -> int:
    """Return how many of so many tries got a token."""
    return sum(seconds_until_next(limit, key) == 0 for _ in range(tries))


def seconds_until_next(limit: Limit, key: str) -> int:
    try:
        take(limit, key)
    except RateLimited as error:
        return error.seconds
    return 0


def buckets() -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.session.execute(text("SELECT id, full_at FROM rate_limits ORDER BY id"))]


def test_a_full_bucket_holds_its_capacity_and_an_empty_one_refuses_and_changes_nothing() -> None:
    assert taken(LIMIT, "a", tries=3) == 3
    before = buckets()
    assert seconds_until_next(LIMIT, "a") == 20
    assert buckets() == before


def test_it_says_when_the_next_token_comes_back_and_they_do_up_to_the_capacity() -> None:
    for passed, seconds, tokens in [(0, 20, 0), (19.999, 1, 0), (20, 20, 1), (60, 20, 3), (86400, 20, 3)]:
        taken(LIMIT, f"{passed}", tries=3)
        pass_time(passed)
        assert taken(LIMIT, f"{passed}", tries=10) == tokens, passed
        assert seconds_until_next(LIMIT, f"{passed}") == seconds, passed


def test_who_keeps_trying_waits_no_longer_than_who_does_not() -> None:
    taken(LIMIT, "a", tries=3)
    for seconds, tokens in ((10, 0), (9, 0), (1, 1)):
        pass_time(seconds)
        assert taken(LIMIT, "a", tries=5) == tokens


def test_each_key_and_each_limit_has_a_bucket_of_its_own() -> None:
    taken(LIMIT, "a", tries=3)
    assert taken(LIMIT, "b", tries=10) == 3
    assert taken(LIMIT._replace(name="other"), "a", tries=10) == 3


def test_a_token_that_was_given_back_can_be_taken_again_and_fills_no_bucket_above_its_capacity() -> None:
    taken(LIMIT, "a", tries=3)
    taken(LIMIT, "b", tries=3)
    give_back(LIMIT, "a")
    assert taken(LIMIT, "a", tries=10) == 1
    for _ in range(5):
        give_back(LIMIT, "a")
    assert (taken(LIMIT, "a", tries=10), taken(LIMIT, "b", tries=1)) == (3, 0)


def test_what_was_done_costs_its_token_and_a_rollback_gives_none_back() -> None:
    for _ in range(3):
        with spent(LIMIT, "a"):
            pass
    db.session.rollback()
    assert taken(LIMIT, "a", tries=1) == 0


def test_an_error_gives_the_token_back_and_commits_nothing_else() -> None:
    for _ in range(4):
        with pytest.raises(LookupError):
            fail_inside("a")
    take(LIMIT._replace(name="a commit"), "a")
    assert db.session.execute(text("SELECT count(*) FROM users")).scalar_one() == 0
    assert taken(LIMIT, "a", tries=4) == 3


def fail_inside(key: str) -> None:
    with spent(LIMIT, key):
        columns = "email, nickname, nickname_key, password_hash"
        db.session.execute(text(f"INSERT INTO users ({columns}) VALUES ('a', 'a', 'a', 'a')"))
        raise LookupError


def test_no_address_is_stored_but_its_hash_with_the_secret_key(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are only 2³² IPv4 addresses: a plain hash of one could be looked up."""
    take(LIMIT, "192.0.2.1")
    monkeypatch.setitem(app.config, "SECRET_KEY", "another key of more than 32 characters")
    take(LIMIT, "192.0.2.1")
    assert [len(str(key)) for key, _ in buckets()] == [64, 64]
    assert "192.0" not in str(buckets())


def test_full_buckets_are_purged_and_others_stay() -> None:
    take(LIMIT, "full")
    pass_time(20)
    take(LIMIT, "not full")
    [_, kept] = sorted(buckets(), key=lambda bucket: str(bucket[1]))
    purge_full_buckets(0)
    assert buckets() == [kept]


def test_at_most_120_guesses_an_hour_reach_a_password() -> None:
    for limit in (rate_limits.SIGN_IN_BY_ACCOUNT, rate_limits.SIGN_IN_BY_DEVICE):
        assert limit.capacity + rate_limits.HOUR / limit.refill <= 120, limit


def test_concurrent_requests_cannot_exceed_the_limit(migrated: Flask) -> None:
    assert len(won(migrated, lambda _: take(LIMIT, "a"), range(AT_ONCE), RateLimited)) == LIMIT.capacity


def tokens_of(buckets: ProcessBuckets, key: str, tries: int) -> list[int]:
    """Return the tokens left after each try that got one."""
    left = []
    for _ in range(tries):
        with suppress(RateLimited):
            left.append(buckets.take(LIMIT, key).remaining)
    return left


def test_a_bucket_of_the_process_holds_its_capacity_fills_up_and_sends_no_statement(statements: list[str]) -> None:
    now = [100.0]
    buckets = ProcessBuckets(lambda: now[0])
    assert [buckets.take(LIMIT, "a").reset for _ in range(3)] == [20, 40, 60]
    with pytest.raises(RateLimited) as refused:
        buckets.take(LIMIT, "a")
    assert refused.value.seconds == 20
    assert tokens_of(buckets, "b", tries=10) == [2, 1, 0]
    for passed, left in ((19.9, []), (0.1, [0]), (86400, [2, 1, 0])):
        now[0] += passed
        assert tokens_of(buckets, "a", tries=10) == left, passed
    assert statements == []
    for number in range(ProcessBuckets.MOST + 1):
        buckets.take(LIMIT, number)
    assert len(buckets._full_at) < ProcessBuckets.MOST, "it forgets them rather than grow"


def test_concurrent_reads_cannot_exceed_the_limit_of_the_process() -> None:
    buckets = ProcessBuckets(lambda: 100.0)
    with ThreadPoolExecutor(5) as threads:
        assert sum(threads.map(lambda _: len(tokens_of(buckets, "a", 1)), range(200))) == LIMIT.capacity
