"""bin/deploy is red whenever the commit does not serve: with exit code 1, a sentence, and a log that holds it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.child import child
from tests.deployment.failures import FAILURES, RELEASED, Failure
from tests.deployment.world import World
from tests.waiting import wait_until
from tools.deployment import commands
from tools.deployment.release import names

BIN = Path(__file__).parents[2] / "bin"


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_it_is_red_says_why_and_logs_it(world: World, failure: Failure) -> None:
    failure.plant(world)
    assert world.deploy(failure.deploy, limits=failure.waits) == 1
    [*_, last] = world.log().splitlines()
    assert re.search(rf"ended: red\. .*{failure.says}", last), last
    assert bool(world.app(failure.deploy).releases) == (failure.made == RELEASED)


@pytest.mark.parametrize("told", [None, "", "abcdef", "abcdefg0", 7])
def test_a_commit_is_not_known_by_a_few_letters(told: object) -> None:
    assert names("abcdefg", "abcdefg" + "0" * 33)
    assert not names(told, "abcdefg1" + "0" * 32)


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


@pytest.mark.parametrize("words", [[], ["main"], ["staging", "--force"]], ids=["nothing", "a branch", "an option"])
def test_what_it_does_not_know_is_refused(words: list[str], tmp_path: Path) -> None:
    for command in (commands.deploy, commands.rollback):
        with pytest.raises(SystemExit, match="2"):
            command(words, tmp_path)


def test_outside_of_a_checkout_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.deploy(["staging"], tmp_path) == 1
    assert "is in no git checkout" in capsys.readouterr().out
