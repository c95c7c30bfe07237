"""Stand in for Heroku: its command line and its git remotes, as far as bin/deploy and bin/rollback use them.

Words, exit codes and JSON are those of the npm package heroku 11.10. `heroku` and the hooks of the remotes are scripts
of a few lines that ask this process: Python is too slow to start hundreds of times.
"""

import json
import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, NamedTuple

# Sends its words and what it is given, a line each, and runs what comes back: `printf …; exit 0`.
SCRIPT = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
{{ printf '%s\\n' {words}; {more}; echo; }} >&3
eval "$(cat <&3)"
"""


class Said(NamedTuple):
    output: str = ""
    errors: str = ""
    code: int = 0
    hangs: bool = False

    def script(self) -> str:
        printed = f"printf %s {shlex.quote(self.output)}; printf %s {shlex.quote(self.errors)} >&2; exit {self.code}"
        return "exec sleep 60" if self.hangs else printed


# A refusal of the API: lines of 80 characters, and a warning before them.
RATE_LIMIT = """\
 ›   Warning: Our terms of service have changed: 
 ›   https://dashboard.heroku.com/terms-of-service
 ›   Error: Your account reached the API limit. Please wait a few minutes before
 ›   making new requests
 ›
 ›   Error ID: rate_limit
 ›   See
 ›   https://devcenter.heroku.com/articles/x
 ›   for more information.
"""  # noqa: W291


def error(sentence: str, code: int = 1) -> Said:
    return Said("", f" ›   Error: {sentence}\n", code)


@dataclass
class App:
    """
    Args:
        generation: "cedar" runs slugs, "fir" images.
        outcome: of the next release phase: succeeded, failed, or pending for ever.
        serves: the commit of the processes.
    """

    name: str
    stage: str
    generation: str = "cedar"
    web_url: str = ""
    releases: list[dict[str, Any]] = field(default_factory=list)
    outcome: str = "succeeded"
    serves: str | None = None

    def add_release(self, description: str, commit: str) -> int:
        version = len(self.releases) + 1
        release = {
            "version": version,
            "status": "pending",
            "description": description,
            "slug": {"id": f"build-of-{commit}"} if self.generation == "cedar" else None,
            "oci_image": {"id": f"build-of-{commit}"} if self.generation == "fir" else None,
        }
        self.releases.insert(0, release)
        return version

    def end_releases(self) -> None:
        """End what is pending, unless it never ends."""
        for release in self.releases:
            if release["status"] == "pending" and self.outcome != "pending":
                release["status"] = self.outcome
                if self.outcome == "succeeded":
                    self.serves = commit_of(release)

    def live(self) -> dict[str, Any]:
        return next(one for one in self.releases if one["status"] == "succeeded")


def commit_of(release: dict[str, Any]) -> str:
    build = release["slug"] or release["oci_image"]
    return str(build["id"]).removeprefix("build-of-")


class StandInHeroku:
    """
    Args:
        faults: the answers to commands, or to a hook, that are others than usual.
        forecast: exit code and output of `flask release plan`.
    """

    def __init__(self, apps: Sequence[App]) -> None:
        self.apps = {app.name: app for app in apps}
        self.has_pipeline = True
        self.faults: dict[str, Said] = {}
        self.is_overtaken = False  # by somebody else's deploy at the same moment
        self.forecast = (0, "")
        self.ran: list[str] = []

    def answer(self, lines: list[str]) -> Said:
        hook, words = lines[0], lines[1:]
        return self.heroku(words) if hook == "heroku" else self.receive(hook, words)

    def heroku(self, words: list[str]) -> Said:
        name, *rest = words
        if name in self.faults:
            return self.faults[name]
        if name == "auth:whoami":
            return Said("haneul@example.com\n")
        commands = {
            "releases": self._releases,
            "apps:info": self._info,
            "releases:output": self._output,
            "rollback": self._rollback,
            "pipelines:promote": self._promote,
            "run": self._run,
        }
        return commands[name](self.apps[rest[rest.index("--app") + 1]], rest)

    def receive(self, hook: str, lines: list[str]) -> Said:
        """Answer a push as the remotes do. A release phase that fails does not fail it."""
        folder, *updates = lines
        app = self.apps[Path(folder).name.removesuffix(".git")]
        if hook == "pre-receive":
            return self.faults.get(hook, Said())
        [[_, commit, reference]] = [line.split() for line in updates]
        assert reference == "refs/heads/main"
        pushed = "f" * 40 if self.is_overtaken else commit
        version = app.add_release(f"Deploy {pushed[:8]}", pushed)
        return Said(f"-----> Launching...\n       Released v{version}\nVerifying deploy... done.\n")

    def _releases(self, app: App, words: list[str]) -> Said:
        printed = json.dumps(app.releases[: int(words[words.index("--num") + 1])], indent=2)
        app.end_releases()  # it is pending when it is asked for the first time
        return Said(printed)

    def _info(self, app: App, _: list[str]) -> Said:
        pipeline: object = None
        if self.has_pipeline:
            pipeline = {"pipeline": {"id": "1", "name": "semicircle"}, "stage": app.stage}
        return Said(json.dumps({"app": {"name": app.name, "web_url": app.web_url}, "pipeline_coupling": pipeline}))

    def _output(self, app: App, _: list[str]) -> Said:
        return Said("Error: 0044 would take a column that the live release uses.\n")

    def _rollback(self, app: App, words: list[str]) -> Said:
        chosen = next((one for one in app.releases if f"v{one['version']}" == words[0]), None)
        if chosen is None:
            return error("Couldn't find that release.")
        if self.is_overtaken:
            app.add_release(f"Deploy {'f' * 8}", "f" * 40)
            return error("Another release is in progress.")
        version = app.add_release(f"Rollback to {words[0]}", commit_of(chosen))
        return Said("", f"Rolling back ⬢ {app.name} to {words[0]}... done, v{version}\n")

    def _promote(self, app: App, words: list[str]) -> Said:
        target, live = self.apps[words[words.index("--to") + 1]], app.live()
        target.add_release(f"Promote {app.name} v{live['version']} {commit_of(live)[:8]}", commit_of(live))
        return Said("Starting promotion to apps...\nWaiting for promotion to complete...\n")

    def _run(self, _: App, words: list[str]) -> Said:
        self.ran.append(" ".join(words[words.index("--") + 1 :]))
        if "--exit-code" not in words:
            return Said(self.forecast[1])
        code, printed = self.forecast
        return Said(printed, f" ›   Error: Process exited with code {code}\n" if code else "", code)


@contextmanager
def installed(heroku: StandInHeroku, folder: Path) -> Iterator[None]:
    """Write `heroku` into folder/bin, and the hooks of each app into folder/APP.git, and answer them."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            lines = []
            while line := self.rfile.readline().decode().rstrip("\n"):
                lines.append(line)
            self.wfile.write(heroku.answer(lines).script().encode())

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        port = server.server_address[1]
        write_script(folder / "bin/heroku", SCRIPT.format(port=port, words='heroku "$@"', more=":"))
        for name in heroku.apps:
            for hook in ("pre-receive", "post-receive"):
                script = SCRIPT.format(port=port, words=f'{hook} "$PWD"', more="cat")
                write_script(folder / f"{name}.git/hooks/{hook}", script)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def write_script(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
