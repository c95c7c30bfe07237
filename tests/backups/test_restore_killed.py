"""`flask restore`, killed at each step, leaves the live database or the restored one, and goes on when run again."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.backups.conftest import AFTER_THE_DUMP, COUNT, IN_THE_DUMP, ROOT, Shop, run
from tests.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.database]


def started(shop: Shop) -> subprocess.Popen[str]:
    """Run the command in a process of its own, which writes each line at once."""
    environment = {**os.environ, **shop.environment, "APP_SETTINGS": "config.TestingConfig", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "flask", "restore", str(shop.dump)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def kill_at(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    assert any(words in line for line in process.stdout)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


@pytest.mark.parametrize("words", ["made at", "recounted"])
def test_killed_before_the_swap_the_live_database_is_as_it_was(shop: Shop, words: str) -> None:
    kill_at(started(shop), words)
    swapped = run(shop.url, COUNT) == IN_THE_DUMP  # it may have gone on for a moment
    assert swapped or run(shop.url, COUNT) == AFTER_THE_DUMP
    assert swapped == any("_replaced_" in name for name in shop.databases() - shop.others)
    wait_until(lambda: not run(shop.url, SCRATCH_SESSIONS)[0][0], "what the killed one began has ended")
    result = shop.restore()
    assert result.exit_code == 0, result.output
    assert run(shop.url, COUNT) == IN_THE_DUMP
    kept = shop.databases() - shop.others
    assert all(name.startswith(f"{shop.name}_replaced_") for name in kept)  # and no scratch database is left
    assert AFTER_THE_DUMP in [run(shop.url.replace(shop.name, name), COUNT) for name in kept]


SCRATCH_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '%scratch%'"
RENAMING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%ALTER DATABASE%RENAME%'"


def test_killed_in_the_swap_the_live_database_is_as_it_was(shop: Shop) -> None:
    process = started(shop)
    assert process.stdout is not None
    assert any("restored on" in line for line in process.stdout)
    run(shop.url, f"BEGIN; PREPARE TRANSACTION '{shop.name}'")  # the renames wait for its end
    elsewhere = shop.url.replace(shop.name, "semicircle")
    wait_until(lambda: run(elsewhere, f"{RENAMING} AND pid <> pg_backend_pid()") != [(0,)], "it renames")
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: run(elsewhere, f"{RENAMING} AND pid <> pg_backend_pid()") == [(0,)], "the server gave it up")
    run(shop.url, f"ROLLBACK PREPARED '{shop.name}'")
    assert run(shop.url, COUNT) == AFTER_THE_DUMP
    assert not any("_replaced_" in name for name in shop.databases())
    assert shop.restore().exit_code == 0
    assert run(shop.url, COUNT) == IN_THE_DUMP
    assert run(shop.kept(), COUNT) == AFTER_THE_DUMP


def test_killed_after_the_swap_the_next_one_says_what_is_kept(shop: Shop) -> None:
    kill_at(started(shop), "swapped: ")
    assert run(shop.url, COUNT) == IN_THE_DUMP
    wait_until(lambda: not run(shop.url, SCRATCH_SESSIONS)[0][0], "its sessions have ended")
    result = shop.restore()
    assert result.exit_code == 0, result.output
    [named] = re.findall(r"(\S+_replaced_\S+) is kept of an earlier restore", result.output)
    assert run(shop.url.replace(shop.name, named), COUNT) == AFTER_THE_DUMP
