"""bin/rollback asks the ledger first, goes back to the very release that is named, and sees that it serves."""

import json
import re

import pytest

from tests.deployment.conftest import LIMITS, Plant, World, planted

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
