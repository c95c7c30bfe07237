"""The smoke journey on the real site: it goes through, leaves nothing behind, and the pages are as it expects them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts import service as accounts
from app.extensions import db
from environment.mail import smtp_server
from tests.deployment.stand_in_site import served
from tools.deployment import smoke
from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits
from tools.deployment.site import Site, wait_until_it_serves

PASSWORD = "a long enough sentence"
COMMIT = "0123456789ab" + "c" * 28
SENDER = {"MAIL_FROM": "hello@example.com", "SITE_URL": "http://127.0.0.1"}
NONE = Limits(poll=0, site=0)


@pytest.fixture
def site(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setitem(migrated.config, "COMMIT", COMMIT[:12])
    with served(migrated) as url:
        yield Site(url, NONE)


def rows() -> list[int]:
    db.session.rollback()
    return [db.session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in ("users", "notes")]


def test_the_journey_goes_through_and_leaves_nothing(
    site: Site, migrated: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "deploy staging")
    wait_until_it_serves(site, COMMIT, NONE._replace(site=30), journal)
    with pytest.raises(DeployError, match=f"says {COMMIT[:12]}"):
        wait_until_it_serves(site, "d" * 40, NONE, journal)
    smoke.read(site, journal)
    assert rows() == [0, 0]
    smoke.write(site, journal)
    assert rows() == [0, 0]

    accounts.sign_up("smoke@example.com", "smoke", PASSWORD)
    monkeypatch.setitem(migrated.config, "SMTP_SERVER", smtp_server({"SMTP_URL": "smtp://127.0.0.1", **SENDER}))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DeployError, match=r"machine 127\.0\.0\.1 login"):
        smoke.write(site, journal)
    netrc = tmp_path / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login smoke@example.com password "{PASSWORD}"\n')
    netrc.chmod(0o600)
    smoke.write(site, journal)
    assert rows() == [1, 1]
    assert db.session.scalar(text("SELECT count(*) FROM notes WHERE deleted_at IS NULL")) == 0
    netrc.write_text('machine 127.0.0.1 login smoke@example.com password "another sentence"\n')
    with pytest.raises(DeployError, match="POST /sign-in: 422"):
        smoke.write(site, journal)
