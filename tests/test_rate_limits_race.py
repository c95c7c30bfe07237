"""A race for the last tokens of a bucket, on connections of their own."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from app import create_app
from app.extensions import db
from app.limits.rate_limits import Limit, RateLimited, take
from config import TestingConfig
from tests.databases import Environment

LIMIT = Limit("test", 3, timedelta(hours=1))


def test_requests_at_once_do_not_pass_together(migrated_environment: Environment) -> None:
    app = create_app(TestingConfig(migrated_environment))

    def taken(_: int) -> int:
        with app.app_context():
            try:
                take(LIMIT, "a")
            except RateLimited:
                return 0
            return 1

    with ThreadPoolExecutor(5) as threads:  # as many as the pool has connections
        assert sum(threads.map(taken, range(100))) == LIMIT.capacity
    with app.app_context():
        db.engine.dispose()
