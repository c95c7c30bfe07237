"""What is tried again, how often and how long after."""

from datetime import UTC, datetime

import pytest
from procrastinate.jobs import Job
from sqlalchemy.exc import OperationalError

from app.jobs import MOST_ATTEMPTS, HandedBack, retrying


class MayPass(Exception):
    pass


NO_DATABASE = OperationalError("SELECT 1", {}, Exception())
STRATEGY = retrying(3, MayPass)


def seconds_until_again(error: Exception, attempts: int) -> float | None:
    job = Job(queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempts)
    decision = STRATEGY.get_retry_decision(exception=error, job=job)
    if decision is None or decision.retry_at is None:
        return None
    return round((decision.retry_at - datetime.now(UTC)).total_seconds())


def test_each_time_after_a_longer_while() -> None:
    assert [seconds_until_again(MayPass(), attempts) for attempts in range(5)] == [4, 16, 64, None, None]


def test_an_error_of_another_kind_is_final() -> None:
    assert seconds_until_again(ValueError(), 0) is None


@pytest.mark.parametrize("error", [HandedBack(), NO_DATABASE])
def test_what_is_no_fault_of_the_task_uses_up_none_of_its_tries(error: Exception) -> None:
    """Or it would end there, and nobody would say of its result that it failed."""
    assert seconds_until_again(error, 3) == 4
    assert seconds_until_again(error, MOST_ATTEMPTS - 1) == 4
    assert seconds_until_again(error, MOST_ATTEMPTS) is None
