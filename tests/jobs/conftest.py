"""Fixtures of the queue."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from config import TestingConfig
from tests.databases import Environment


@pytest.fixture
def migrated(migrated_environment: Environment) -> Iterator[Flask]:
    """An application whose commits stay, for tests with several connections. It is in its context."""
    app = create_app(TestingConfig(migrated_environment))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
