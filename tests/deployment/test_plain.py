"""bin/deploy and bin/rollback on a plain server, whose pushes are refused when the release fails.

tests/live/test_plain_server.py does both on a real one.
"""

import json
import re
from pathlib import Path

import pytest

from tests.deployment.conftest import World
from tests.deployment.heroku_stand_in import write_script

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
