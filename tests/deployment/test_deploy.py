"""bin/deploy: what it does when nothing fails, and after a deploy before; its journey; and a plain server's pushes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts import service as accounts
from app.extensions import db
from environment.mail import smtp_server
from tests.deployment.conftest import LIMITS, World
from tests.deployment.heroku_stand_in import write_script
from tests.deployment.stand_in_site import served
from tools.deployment import smoke
from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits
from tools.deployment.site import Site, wait_until_it_serves


def versions(world: World, remote: str) -> list[str]:
    return [f"v{one['version']} {one['status']}: {one['description']}" for one in world.app(remote).releases]


def test_staging_then_production_then_the_same_again(world: World) -> None:
    commit, staging, production = world.head(), world.sites["staging"], world.sites["production"]
    assert world.deploy("staging") == 0
    assert versions(world, "staging") == [f"v1 succeeded: Deploy {commit[:8]}"]
    assert world.production.releases == []
    log = world.log()
    assert re.search(rf"ended: staging runs {commit[:12]} as v1$", log.strip())
    for command in ("make test", f"git push staging {commit}:refs/heads/main", "heroku releases --json"):
        assert f"$ {command}" in log, "the plain commands are printed"
    assert (len(staging.notes), staging.accounts, staging.asked.count("POST /mypage/delete")) == (1, set(), 1)

    assert world.deploy("production") == 0
    assert versions(world, "production") == [f"v1 succeeded: Promote semicircle-staging v1 {commit[:8]}"]
    assert f"`make test` passed for {commit[:12]} at" in world.log(), "and is not run again"
    assert not [asked for asked in production.asked if asked.startswith("POST")], "nothing is written there unasked"
    assert len(staging.notes) == 2, "staging is asked again, whoever deployed there"

    assert world.deploy("staging") == 0
    assert len(world.staging.releases) == 1
    assert world.deploy("production", "--write") == 0
    assert len(production.notes) == 1

    world.commit("Makefile", "test:\n\t@echo 1 failed; false\n")
    assert world.deploy("staging") == 1, "another commit is tested again"
    assert "tests are red" in world.log()


@pytest.mark.parametrize("generation", ["cedar", "fir"])
def test_the_build_of_a_release_that_changed_the_configuration_is_known(world: World, generation: str) -> None:
    """Such a release says what it changed, and has the build of the one before: a slug, or on Fir an image."""
    for app in (world.staging, world.production):
        app.generation = generation
    commit = world.head()
    world.has_released("staging", commit)
    world.staging.add_release("Set SECRET_KEY config vars", commit)
    world.staging.end_releases()
    assert world.deploy("production") == 0
    assert versions(world, "production") == [f"v1 succeeded: Promote semicircle-staging v2 {commit[:8]}"]


def test_without_a_pipeline_the_commit_is_pushed_to_production(world: World) -> None:
    world.heroku.has_pipeline = False
    commit = world.head()
    world.has_released("staging", commit)
    assert world.deploy("production") == 0
    assert versions(world, "production") == [f"v1 succeeded: Deploy {commit[:8]}"]


def test_a_deploy_that_stopped_while_the_release_was_pending_goes_on(world: World) -> None:
    world.staging.outcome = "pending"
    assert world.deploy("staging", limits=LIMITS._replace(release=0.05)) == 1
    world.staging.outcome = "succeeded"
    assert world.deploy("staging") == 0
    assert len(world.staging.releases) == 1


def test_it_serves_only_when_no_process_of_the_release_before_answers_any_more(world: World) -> None:
    answers = iter([world.head()] * 4 + ["0" * 40])
    world.sites["staging"].serving = lambda: next(answers, world.staging.serves)
    assert world.deploy("staging") == 0
    assert world.sites["staging"].asked.count("GET /readyz") == 4 + 1 + 5 + 1, "and once more at the end"


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


ERROR = "ssh: connect to host notes.example.com port 22: Connection refused"


@pytest.fixture
def receive(world: World) -> Path:
    """Return the file with what `receive` of staging's server prints; its site is the stand-in's."""
    script, printed = world.checkout.parent / "receive", world.checkout.parent / "printed"
    write_script(script, f'#!/bin/sh\ncase "$*" in *--json) cat {printed};; *) cat {printed}; exit 1;; esac\n')
    world.git("config", "remote.staging.receive", f"{script} --over ssh")
    world.git("config", "remote.staging.site", world.staging.web_url)
    printed.write_text("[]")
    return printed


def release(version: int, status: str, commit: str) -> dict[str, object]:
    return {"version": version, "status": status, "commit": commit, "description": "push", "current": False}


def last_line(world: World) -> str:
    return world.log().splitlines()[-1]


def test_a_refused_push_is_told_by_its_failed_release(world: World, receive: Path) -> None:
    record = json.dumps([release(1, "failed", world.head())])
    hook = world.checkout.parent / "semicircle-staging.git/hooks/pre-receive"
    write_script(hook, f"#!/bin/sh\necho '{record}' > {receive}\necho Error: The release phase failed >&2\nexit 1\n")
    assert world.deploy("staging") == 1
    assert re.search(r"red\. Release v1 of staging failed; the release before it serves on", last_line(world))
    assert "Error: The release phase failed" in world.log()


def test_a_rollback_that_the_server_refuses_is_red(world: World, receive: Path) -> None:
    old, new = world.head(), world.commit()
    receive.write_text(json.dumps([release(2, "succeeded", new), release(1, "succeeded", old)]))
    assert world.rollback("staging", "--anyway") == 1
    assert re.search(rf"red\. staging made no release of {old[:12]}", last_line(world))


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ("", "did not print its releases"),
        ('[{"version": 1, "status": "succeeded"}]', "did not print its releases"),
        (json.dumps([release(1, "invented-later", "a" * 40)]), "a state of a release that is not known"),
    ],
)
def test_what_is_no_list_of_releases_is_red(world: World, receive: Path, printed: str, sentence: str) -> None:
    receive.write_text(printed)
    assert world.deploy("staging") == 1
    assert sentence in last_line(world)
    assert "git push" not in world.log()


def test_a_server_that_cannot_be_reached_or_named_is_red(world: World, receive: Path) -> None:
    world.git("config", "--unset", "remote.staging.site")
    assert world.deploy("staging") == 1
    assert "git config remote.staging.site" in last_line(world)
    world.git("config", "remote.staging.site", world.staging.web_url)
    write_script(receive.with_name("receive"), f"#!/bin/sh\necho '{ERROR}' >&2\nexit 255\n")
    assert world.deploy("staging") == 1
    assert ERROR in last_line(world)
    world.git("config", "--unset", "remote.staging.receive")
    world.git("remote", "set-url", "staging", "semicircle@notes.example.com:repository.git")
    assert world.deploy("staging") == 1
    assert "git config remote.staging.receive" in last_line(world)
