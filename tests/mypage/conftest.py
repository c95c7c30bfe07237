"""The bucket that photos are put into."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.bucket import object_keys


@pytest.fixture
def objects(app: Flask) -> Iterator[set[str]]:
    """The keys that were there before the test; what it adds is deleted."""
    before = object_keys(app)
    yield before
    for key in object_keys(app) - before:
        app.extensions["bucket"].client.delete_object(Bucket=app.extensions["bucket"].name, Key=key)
