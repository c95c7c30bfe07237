"""A living process of a line is found at every moment, whatever it becomes; and a stranger is never taken for one."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until
from tools.plain_server import processes
from tools.plain_server.place import Place
from tools.plain_server.processes import Process

# They outlive who started them, which is what they are for.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    (tmp_path / "server.json").write_text('{"stop_within": 10}')
    for folder in (place.log, place.sessions):
        folder.mkdir()
    yield place
    for process in processes.running(place):
        os.killpg(process.group, signal.SIGKILL)


def start(place: Place, command: str, name: str = "web") -> None:
    environment = {"PATH": os.environ["PATH"], "PORT": "8001", "LINE": command}
    processes.start(place, name, command, 7, environment, place.root)


def found(place: Place) -> set[tuple[str, int, int]]:
    return {(process.name, process.version, process.port) for process in processes.running(place)}


def program(place: Place) -> str:
    [process] = processes.running(place)
    return Path(f"/proc/{process.group}/comm").read_text().strip()


def test_a_line_is_found_at_every_moment_while_it_becomes_other_programs(place: Place) -> None:
    line = 'i=${I:-1000}; [ $i -gt 0 ] && I=$((i - 1)) exec /bin/sh -c "$LINE"; exec sleep 600'
    start(place, line)
    looks = 0
    while program(place) != "sleep":
        looks += 1
    assert looks > 10


@pytest.mark.parametrize(
    "command",
    [
        "exec sleep 600",
        "true && sleep 600",
        "exec env -i /bin/sleep 600",  # its environment is empty for good
        "exec env --unset=PLAIN_SERVER_PLACE sleep 600",
        "sleep 600 & exit 0",  # the leader of the session has ended
        "exec setsid sleep 600",
        "setsid sleep 600 & exit 0",  # it has left the session
    ],
)
def test_a_line_of_any_shape_is_found_and_stopped(place: Place, command: str) -> None:
    start(place, command)
    wait_until(lambda: "sleep" in "".join(commands(place)), "it has become what it becomes")
    assert found(place) == {("web", 7, 8001)}
    processes.stop(place, processes.running(place))
    assert found(place) == set()
    assert commands(place) == []


def commands(place: Place) -> list[str]:
    """Return the commands whose output goes to the log of the web: what the kernel knows, not what we find."""
    log = str(place.log / "web-8001.log")
    found = [one.info for one in psutil.process_iter(["name", "status"]) if output_of(one.pid) == log]
    return [one["name"] for one in found if one["status"] != psutil.STATUS_ZOMBIE]


def output_of(pid: int) -> str | None:
    with suppress(OSError):  # of another user, or it has ended
        return os.readlink(f"/proc/{pid}/fd/1")
    return None


def test_a_line_that_has_ended_is_not_found_and_forgotten(place: Place) -> None:
    start(place, "exit 3", "worker")
    wait_until(lambda: not processes.running(place), "it ends")
    assert list(place.sessions.iterdir()) == []


@pytest.mark.parametrize("since", ["another start of the machine", "another process"])
def test_a_number_that_somebody_else_has_now_is_nobody_of_ours(place: Place, since: str) -> None:
    start(place, "exec sleep 600")
    [process] = processes.running(place)
    file = place.sessions / str(process.group)
    text = file.read_text()
    processes.stop(place, {process})
    with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as stranger:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert boot in text
        taken = text.replace(f'"group": {process.group}', f'"group": {stranger.pid}')
        if since == "another start of the machine":
            began = Path(f"/proc/{stranger.pid}/stat").read_text().split()[21]
            taken = taken[: taken.rindex("[")] + f'["another", {began}]}}'
        (place.sessions / str(stranger.pid)).write_text(taken)
        assert processes.running(place) == set()
        processes.stop(place, {Process(process.group, "web", 7, 8001)})
        assert stranger.poll() is None
        stranger.kill()
    assert list(place.sessions.iterdir()) == []


@pytest.mark.parametrize("text", ["", '{"group": 1'])
def test_a_session_that_was_not_written_to_its_end_spoils_no_other(place: Place, text: str) -> None:
    start(place, "exec sleep 600")
    (place.sessions / "1").write_text(text)
    assert found(place) == {("web", 7, 8001)}
