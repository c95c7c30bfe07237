"""bin/deploy: what it does when nothing fails, after a deploy before, on a plain server; its journey; bin/rollback."""

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
from tests.deployment.conftest import LIMITS, Plant, World, planted
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


OLD, NEW = 0, 1
Commits = tuple[str, str]
Forecast = tuple[int, str]


@pytest.fixture
def commits(world: World) -> Commits:
    """Make two releases: v1 and v3, which is live. v2 only changed the configuration."""
    old = world.head()
    world.has_released("production", old)
    world.production.add_release("Set SECRET_KEY config vars", old)
    world.production.end_releases()
    (world.checkout / "migrations/versions/0003.py").write_text('revision = "0003"\ndown_revision = "0002"\n')
    new = world.commit()
    world.has_released("production", new)
    return old, new


def says(answer: str, code: int) -> Forecast:
    """Return the end of `flask release plan --to`; a process may log a line before."""
    document = {"to": "0002", "answer": answer, "reasons": ["there is no column notes.pinned"]}
    return code, f"2026-11-25 a line of the log {{}}\n{json.dumps(document, indent=2)}\n"


@pytest.mark.parametrize("to", ["", "v1", "commit"])
def test_it_goes_back_when_that_is_safe(world: World, commits: Commits, to: str) -> None:
    words = [commits[OLD][:10] if to == "commit" else to] if to else []
    assert world.rollback("production", *words) == 0
    assert world.heroku.ran == ["flask release plan --to 0002 --json"], "the newest revision of that commit's code"
    newest = world.production.releases[0]
    assert (newest["version"], newest["status"]) == (4, "succeeded")
    assert newest["description"] == f"Rollback to {'v1' if to == 'v1' else 'v2'}"
    assert re.search(rf"ended: production runs {commits[OLD][:12]} again, as v4$", world.log().strip())
    assert not [asked for asked in world.sites["production"].asked if asked.startswith("POST")]
    assert world.rollback("production", "v3") == 0, "and forth"
    assert world.production.serves == commits[NEW]
    assert world.heroku.ran[1:] == ["flask release plan --to 0003 --json"]


REFUSED = {
    "no": (says("no", 3), "cannot serve"),
    "unknown": (says("unknown", 2), "Nobody knows"),
    "yes, with another exit code": (says("yes", 1), "could not be made"),
    "nothing": ((0, ""), "could not be made"),
}


@pytest.mark.parametrize(("forecast", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_surely_safe_is_refused(world: World, commits: Commits, forecast: Forecast, sentence: str) -> None:
    world.heroku.forecast = forecast
    assert world.rollback("production") == 1
    assert re.search(rf"ended: red\. .*{sentence}.*--anyway", world.log())
    assert len(world.production.releases) == 3
    assert ("notes.pinned" in world.log()) == ("reasons" in forecast[1]), "the reasons are told"


def test_anyway_goes_back_and_says_what_was_foretold(world: World, commits: Commits) -> None:
    world.heroku.forecast = says("no", 3)
    assert world.rollback("production", "--anyway") == 0
    assert "cannot serve" in world.log()
    assert world.production.serves == commits[OLD]


@pytest.mark.parametrize(("to", "sentence"), [("v9", "no release v9"), ("v3", "v3 is live"), ("0123456", "no release")])
def test_what_is_no_earlier_release_is_refused(world: World, commits: Commits, to: str, sentence: str) -> None:
    assert world.rollback("production", to) == 1
    assert re.search(rf"ended: red\. .*{sentence}", world.log())
    assert (len(world.production.releases), world.heroku.ran) == (3, [])


def two_heads(world: World) -> None:
    (world.checkout / "migrations/versions/0002b.py").write_text('revision = "0002b"\ndown_revision = "0001"\n')
    world.has_released("production", world.commit())
    world.has_released("production", world.commit())
    world.production.releases[-1].update(world.production.releases[1], version=1)


def oldest(**fields: object) -> Plant:
    return lambda world: world.production.releases[-1].update(fields)


BEFORE = {
    "it failed": (oldest(status="failed"), "v1: it is failed"),
    "it expired": (oldest(status="expired"), "v1: its build was deleted"),
    "the commit is not here": (oldest(description="Deploy eeeeeeee", slug={"id": "a"}), "commit eeeeeeee: git fetch"),
    "nor by its whole hash": (oldest(description=f"Deploy {'e' * 40}", slug={"id": "a"}), "commit e{8,40}: git fetch"),
    "nobody tells the commit": (oldest(description="Upload", slug=None), "does not tell the commit of v1"),
    "its code has two newest migrations": (two_heads, "has 2 newest migrations"),
}


@pytest.mark.parametrize(("plant", "sentence"), BEFORE.values(), ids=BEFORE)
def test_one_that_cannot_come_back_is_refused(world: World, commits: Commits, plant: Plant, sentence: str) -> None:
    plant(world)
    count = len(world.production.releases)
    assert world.rollback("production", "v1") == 1
    assert re.search(rf"ended: red\. .*{sentence}", world.log()), world.log()
    assert (len(world.production.releases), world.heroku.ran) == (count, [])


def serves_on(world: World) -> None:
    world.sites["production"].serving = world.head


RED = {
    # The older code makes the same forecast in its release phase, and refuses.
    "its release phase fails": (planted("production.outcome", "failed"), "Release v4 of semicircle-production failed"),
    "somebody else has deployed meanwhile": (planted("heroku.is_overtaken", True), "made no release of {old}"),
    "the newer code serves on": (serves_on, "does not serve {old} .*says {new}"),
}


@pytest.mark.parametrize(("plant", "sentence"), RED.values(), ids=RED)
def test_a_rollback_that_does_not_serve_is_red(world: World, commits: Commits, plant: Plant, sentence: str) -> None:
    plant(world)
    assert world.rollback("production", limits=LIMITS._replace(site=0.2)) == 1
    told = sentence.format(old=commits[OLD][:12], new=commits[NEW][:12])
    assert re.search(rf"ended: red\. .*{told}", world.log())


def test_without_any_release_there_is_nothing_to_go_back_to(world: World) -> None:
    assert world.rollback("production") == 1
    assert "No release has succeeded yet" in world.log()
    world.has_released("production", world.head())
    assert world.rollback("production") == 1
    assert "no earlier release of another commit" in world.log()
