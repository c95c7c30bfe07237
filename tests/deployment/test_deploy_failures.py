"""bin/deploy is red whenever the commit does not serve: with exit code 1, a sentence, and a log that holds it."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.child import child
from tests.deployment.conftest import LIMITS, Plant, World, planted
from tests.deployment.heroku_stand_in import RATE_LIMIT, Said, error
from tests.waiting import wait_until
from tools.deployment import commands
from tools.deployment.limits import Limits
from tools.deployment.release import names

BIN = Path(__file__).parents[2] / "bin"

RELEASED = True


class Failure(NamedTuple):
    """
    Args:
        plant: makes it fail.
        says: a regular expression for the last line of the log.
        made: whether the remote gets a release before it fails.
        waits: the limits, where it fails by one.
        deploy: to where.
    """

    plant: Plant
    says: str
    made: bool = False
    waits: Limits = LIMITS
    deploy: str = "staging"


def fault(command: str, answer: Said) -> Plant:
    return lambda world: world.heroku.faults.update({command: answer})


def site(name: str, value: object) -> Plant:
    return lambda world: setattr(world.sites["staging"], name, value)


def makefile(text: str) -> Plant:
    return lambda world: world.commit("Makefile", text)


def git(*words: str) -> Plant:
    return lambda world: world.git(*words)


def broken(request: str, status: int, text: str = "") -> Plant:
    return site("broken", {request: (status, text)})


def overtaken(world: World) -> None:
    """Let somebody else's deploy go live while the smoke journey writes."""
    there, ours = world.sites["staging"], world.head()
    there.serving = lambda: "0" * 40 if "POST /mypage/delete" in there.asked else ours


def failed_before(world: World) -> None:
    """Let Git have the commit, whose release has failed: "Everything up-to-date"."""
    world.git("push", "--quiet", "staging", "HEAD:main")
    world.staging.releases[0]["status"] = "failed"


def rolled_back_since(world: World) -> None:
    world.has_released("staging", "0" * 40)
    world.git("push", "--quiet", "staging", "HEAD:main")
    world.staging.end_releases()
    world.staging.add_release("Rollback to v1", "0" * 40)
    world.staging.end_releases()


def not_in_step(world: World) -> None:
    """Let somebody else have pushed to where main comes from, or nobody what is deployed."""
    world.git("clone", "--quiet", "--bare", ".", "../origin.git")
    world.git("remote", "add", "origin", "../origin.git")
    world.git("fetch", "--quiet", "origin")
    world.git("branch", "--quiet", "--set-upstream-to=origin/main")
    world.commit()


def staging_ran_another(world: World) -> None:
    world.has_released("staging", world.head())
    world.commit()


def staging_broke_since(world: World) -> None:
    world.has_released("staging", world.head())
    world.sites["staging"].broken = {"POST /notes": (500, "")}


def promotion_refused(world: World) -> None:
    world.has_released("staging", world.head())
    world.heroku.faults["pipelines:promote"] = error("You do not have access to the app.")


def status_invented(world: World) -> None:
    world.has_released("staging", world.head())
    world.staging.releases[0]["status"] = "invented-later"


SOON, PENDING = LIMITS._replace(site=0.2), LIMITS._replace(release=0.2)
FAILURES = {
    "release failed": Failure(planted("staging.outcome", "failed"), "v1 of .* failed.*releases:retry --app", RELEASED),
    "pending for ever": Failure(planted("staging.outcome", "pending"), "v1 .* still pending", RELEASED, PENDING),
    "push rejected": Failure(fault("pre-receive", Said(code=1)), "refused the push"),
    "up-to-date after a failed release": Failure(failed_before, "v1 .* failed.*releases:retry --app", RELEASED),
    "rolled back since": Failure(rolled_back_since, "was rolled back from .*v3 is live", RELEASED),
    "another is released": Failure(planted("heroku.is_overtaken", True), "v1 .* is not of", RELEASED),
    "not signed in": Failure(fault("auth:whoami", error("not logged in", 100)), "not logged in.*heroku login"),
    "no CLI": Failure(lambda world: (world.checkout.parent / "bin/heroku").unlink(), "no command heroku"),
    "CLI prints no JSON": Failure(fault("releases", Said("<html>504 Gateway Timeout</html>")), "heroku update"),
    "API refuses": Failure(fault("releases", Said("", RATE_LIMIT, 2)), "failed: Your account .* making new requests$"),
    "CLI hangs": Failure(fault("releases", Said(hangs=True)), "longer than 0.5 s", waits=LIMITS._replace(command=0.5)),
    "/readyz is 503": Failure(site("readyz", (503, "no_answer")), "503 .no_answer.", RELEASED, SOON),
    "the code does not fit": Failure(site("readyz", (503, "ahead_contract")), "ahead_contract: it does not", RELEASED),
    "the old release serves on": Failure(site("serving", lambda: "0" * 40), "and says 000000000000", RELEASED, SOON),
    "the site tells no commit": Failure(site("tells_commit", False), "labs:enable", RELEASED, SOON),
    "a page instead of /readyz": Failure(broken("GET /readyz", 200, "<html>"), "no state", RELEASED, SOON),
    "site unreachable": Failure(planted("staging.web_url", "http://127.0.0.1:1/"), "does not answer", RELEASED, SOON),
    "/readyz never ends": Failure(
        site("trickling", "/readyz"), "took longer than 0.2 s", RELEASED, SOON._replace(request=0.2)
    ),
    "another deploy meanwhile": Failure(overtaken, "does not any more: .* says 000000000000. Has", RELEASED),
    "a redirect to another site": Failure(broken("POST /notes", 302, "https://a.test/"), "302 to https://a", RELEASED),
    "notes open to strangers": Failure(broken("GET /notes", 200, "notes"), "signed out: 200", RELEASED),
    "a note is lost": Failure(broken("GET /notes/7", 200, "another"), "GET /notes/7: the page has no", RELEASED),
    "the account stays": Failure(broken("POST /mypage/delete", 422), "POST /mypage/delete: 422", RELEASED),
    "dirty tree": Failure(lambda world: (world.checkout / "Makefile").write_text("test:\n"), "not clean .Makefile."),
    "not on main": Failure(git("switch", "--quiet", "--create", "feature"), "feature is checked out"),
    "tests red": Failure(makefile("test:\n\t@echo 1 failed; false\n"), "tests are red"),
    "tests leave files": Failure(makefile("test:\n\t@touch left-over\n"), "not clean .left-over."),
    "not in step with upstream": Failure(not_in_step, "main and origin/main differ"),
    "no remote": Failure(git("remote", "remove", "staging"), "no git remote staging"),
    "staging ran nothing": Failure(lambda _: None, "Staging runs nothing", deploy="production"),
    "staging ran another commit": Failure(staging_ran_another, "Staging runs .{8} .v1.", deploy="production"),
    "staging broke since": Failure(staging_broke_since, "broke at POST /notes", deploy="production"),
    "production refuses the promotion": Failure(promotion_refused, "took no promotion", deploy="production"),
    "CLI invents a status": Failure(status_invented, "heroku update", deploy="production"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_it_is_red_says_why_and_logs_it(world: World, failure: Failure) -> None:
    failure.plant(world)
    assert world.deploy(failure.deploy, limits=failure.waits) == 1
    [*_, last] = world.log().splitlines()
    assert re.search(rf"ended: red\. .*{failure.says}", last), last
    assert bool(world.app(failure.deploy).releases) == failure.made


def test_what_a_failed_release_phase_wrote_is_shown(world: World) -> None:
    world.staging.outcome = "failed"
    assert world.deploy("staging") == 1
    assert "0044 would take a column" in world.log()


def test_a_commit_is_not_known_by_a_few_letters() -> None:
    assert names("abcdefg", "abcdefg" + "0" * 33)
    assert [told for told in (None, "", "abcdef", "abcdefg0", 7) if names(told, "abcdefg1" + "0" * 32)] == []


def test_the_account_of_a_smoke_journey_that_breaks_is_deleted(world: World) -> None:
    world.sites["staging"].broken = {"POST /notes": (500, "")}
    assert world.deploy("staging") == 1
    assert "broke at POST /notes: 500" in world.log()
    assert "POST /mypage/delete" in world.sites["staging"].asked
    assert not world.sites["staging"].accounts


def test_an_interrupted_deploy_says_so_in_its_log(world: World) -> None:
    world.staging.outcome = "pending"
    command = [sys.executable, str(BIN / "deploy"), "staging"]
    with child(command, cwd=world.checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        wait_until(lambda: "Waiting for release" in world.log(), "the push")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert "ended: interrupted." in world.log()


def test_outside_of_a_checkout_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.deploy(["staging"], tmp_path) == 1
    assert "is in no git checkout" in capsys.readouterr().out
