"""Deploy: build, release, start the new web beside the old one, let HAProxy switch, stop the old processes.

Whoever kills us at any line leaves a site that serves: nothing of the live release is touched before the new one is
ready and recorded, and `converge` makes processes and HAProxy fit the record, however far the one before it came.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import builds, processes
from .balancer import Balancer
from .errors import DeployError
from .place import Place
from .processes import Process
from .readiness import not_ready
from .records import FAILED, SUCCEEDED, Records, Release
from .repository import Repository
from .telling import follow, say

POLL = 0.1  # seconds
NOT_STARTED = ("release", "postdeploy", "web")  # lines that run once, and the web, which is started by itself


class Deploys:
    """Deploy to a place. Only within `lock()`, all but the records."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.records = Records(place.root / "releases.jsonl")
        self.repository = Repository(place.repository)
        self.balancer = Balancer(place.settings)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let in one at a time: the others wait. The kernel unlocks it when we die."""
        with (self.place.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Waiting for another deploy to end …")
                fcntl.flock(file, fcntl.LOCK_EX)
            self.records.fail_interrupted()
            try:
                self._let_main_be_what_is_live()
            except DeployError as error:
                say(f"Warning: {error}")
            yield

    def deploy(self, commit: str, description: str) -> Release:
        """Make a commit the live release and main.

        Raises:
            DeployError: it is recorded as failed; the release that was live serves on, and is main.
        """
        self.balancer.require()
        self.converge_if_possible()
        release = self.records.begin(commit, description)
        try:
            checkout = self._prepare(release)
            web = self._start_web(release, checkout)
            self.balancer.take(web.port)
            self.repository.move_main(commit)  # before the record, by which `lock` takes it back if we are killed here
            release = self.records.end(release, SUCCEEDED)
        except BaseException as error:
            self._stop_all_of(release.version)
            self.records.end(release, FAILED, f"{description}: {error}" if str(error) else description)
            self._let_main_be_what_is_live()
            raise
        say(f"v{release.version} serves; the processes before it are replaced")
        self.converge_if_possible()  # whatever comes now, it is live and main: the push is not refused any more
        return release

    def _let_main_be_what_is_live(self) -> None:
        """Move main back, or on, to what serves; else a push of something newer could be "Everything up-to-date"."""
        live = self.records.live()
        self.repository.move_main(live.commit if live else None)

    def converge(self) -> None:
        """Run the live release and nothing else; a step that is done already is passed over.

        Raises:
            DeployError: it cannot be served; what serves now is left alone.
        """
        live = self.records.live()
        if live is None:
            processes.stop(self.place, processes.running(self.place))
            return
        checkout = builds.build(self.place, live.commit)
        web = self._web_of(live) or self._start_web(live, checkout)
        self.balancer.take(web.port)
        for name in self._others(checkout):
            self._start_missing(name, live, checkout)
        for port in set(self.place.settings.ports) - {web.port}:
            self.balancer.drain(port)
        others = {process for process in processes.running(self.place) if process.version != live.version}
        processes.stop(self.place, others)
        for name in self._others(checkout):
            if not self._has(name, live):
                say(f"Warning: {name} has ended; {builds.last_line(processes.log_of(self.place, name))}")
        builds.remove_old(self.place, live.commit)

    def converge_if_possible(self) -> None:
        """Say so and go on: what is pushed next may be what mends it."""
        try:
            self.converge()
        except (DeployError, OSError) as error:
            say(f"Warning: the live release cannot be put right: {error}")

    def _prepare(self, release: Release) -> Path:
        say(f"Building {release.commit} as v{release.version}")
        checkout = builds.build(self.place, release.commit)
        command = builds.procfile(checkout).get("release")
        if command:
            self._run_release_phase(command, release, checkout)
        return checkout

    def _run_release_phase(self, command: str, release: Release, checkout: Path) -> None:
        """Run the release phase. Its output goes to a file, so that it ends in order when we are killed."""
        say(f"Release phase: {command}")
        log = self.place.log / "release.log"
        environment = self.place.environment_of(release.commit, release.version)
        with log.open("wb") as output:
            process = processes.spawn(command, checkout, environment, output)
        follow(log, process)
        if process.returncode != 0:
            raise DeployError(f"The release phase failed with exit code {process.returncode}: {builds.last_line(log)}")

    def _start_web(self, release: Release, checkout: Path) -> Process:
        """Start the web on the free port, where HAProxy leaves it out, and return when it is ready."""
        port = self._free_port()
        self.balancer.leave_out(port)
        environment = self.place.environment_of(release.commit, release.version)
        # PORT alone would mean all interfaces, in releases before HOST.
        arguments = f"{environment.get('GUNICORN_CMD_ARGS', '')} --bind 127.0.0.1:{port}".strip()
        environment |= {"PORT": str(port), "GUNICORN_CMD_ARGS": arguments}
        say(f"Starting web on port {port}")
        command = builds.procfile(checkout)["web"]
        log = processes.log_of(self.place, "web", port)
        begins = log.stat().st_size if log.exists() else 0
        processes.start(self.place, "web", command, release.version, environment, checkout)
        try:
            return self._wait_until_ready(release, port, lambda: builds.last_line(log, begins))
        except BaseException:
            self._stop_all_of(release.version)
            raise

    def _wait_until_ready(self, release: Release, port: int, last_words: Callable[[], str]) -> Process:
        deadline = time.monotonic() + self.place.settings.ready_within
        while answer := not_ready(port, self.place.settings.host):
            if self._web_of(release) is None:
                raise DeployError(f"The web ended before it was ready: {last_words()}")
            if time.monotonic() > deadline:
                raise DeployError(f"The web is not ready after {self.place.settings.ready_within:.0f} s: {answer}")
            time.sleep(POLL)
        web = self._web_of(release)
        if web is None:
            raise DeployError(f"Something else answers on port {port}; name two free ones in server.json.")
        return web

    def _free_port(self) -> int:
        taken = {process.port for process in processes.running(self.place)}
        for port in self.place.settings.ports:
            if port not in taken:
                return port
        raise DeployError("Both ports are in use by releases; see: receive resume")

    def _start_missing(self, name: str, release: Release, checkout: Path) -> None:
        if not self._has(name, release):
            say(f"Starting {name}")
            environment = self.place.environment_of(release.commit, release.version)
            command = builds.procfile(checkout)[name]
            processes.start(self.place, name, command, release.version, environment, checkout)

    def _others(self, checkout: Path) -> list[str]:
        return [name for name in builds.procfile(checkout) if name not in NOT_STARTED]

    def _has(self, name: str, release: Release) -> bool:
        return any(
            (process.name, process.version) == (name, release.version) for process in processes.running(self.place)
        )

    def _web_of(self, release: Release) -> Process | None:
        webs = (process for process in processes.running(self.place) if process.name == "web")
        return next((web for web in webs if web.version == release.version), None)

    def _stop_all_of(self, version: int) -> None:
        mine = {process for process in processes.running(self.place) if process.version == version}
        for process in mine:
            if process.port:
                with suppress(DeployError):  # HAProxy is away, so it sends nothing there
                    self.balancer.drain(process.port)
        processes.stop(self.place, mine)
