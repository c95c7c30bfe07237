"""`flask check-bucket` says whether the bucket answers."""

import pytest
from flask import Flask

from app import storage


def test_a_bucket_that_answers(app: Flask, objects: set[str]) -> None:
    with app.app_context():
        storage.put(storage.new_key("photos", "webp"), b"a photo", "image/webp")
    result = app.test_cli_runner().invoke(args=["check-bucket"])
    assert (result.exit_code, result.output) == (0, f"The bucket answers. It has {len(objects) + 1:,} photos.\n")


def test_a_bucket_that_refuses_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.extensions["bucket"], "name", "nobodys-bucket")
    result = app.test_cli_runner().invoke(args=["check-bucket"])
    assert result.exit_code == 1
    assert "The bucket does not answer, or refuses: list_objects_v2 failed" in result.stderr
    assert "NoSuchBucket" in result.stderr
