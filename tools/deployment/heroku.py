"""Ask Heroku by its command line (`heroku`, 11). Each command names the app, since releases:retry takes no remote."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tools.deployment.errors import DeployError
from tools.deployment.limits import Limits
from tools.deployment.release import STATUSES, Platform, Release, newest_version
from tools.deployment.shell import Done, Shell

URL = re.compile(r"(?:https://git\.heroku\.com/|(?:ssh://)?git@heroku\.com[:/])([a-z][a-z0-9-]*)\.git")
MOST = "50"  # releases
# Heroku's own words: "Deploy 1a2b3c4d", "Promote semicircle-staging v12 1a2b3c4d", "Retry of v12: Deploy 1a2b3c4d".
BUILT = re.compile(r"\b(?:Deploy|Promote \S+ v\d+) ([0-9a-f]{7,40})\b")
ROLLED_BACK = re.compile(r"Rollback to v(\d+)")
UPSTREAM = ("review", "development", "staging")  # stages of a pipeline that are promoted from


class Heroku:
    def __init__(self, app: str, shell: Shell, limits: Limits) -> None:
        self.name = app
        self._shell = shell
        self._limits = limits

    def require_access(self) -> None:
        who = self._shell.ask(["heroku", "auth:whoami"], self._limits.command)
        if who.code != 0:
            raise DeployError(f"heroku does not know who you are: {_complaint(who)} Sign in: heroku login")

    def releases(self, is_new: bool = True) -> list[Release]:
        document = self._json(["releases", "--json", "--num", MOST], is_new)
        try:
            return _releases(document)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise self._rubbish("releases --json") from None

    def site(self) -> str | None:
        try:
            return str(self._info()["app"]["web_url"]).rstrip("/")
        except (KeyError, TypeError):
            raise self._rubbish("apps:info --json") from None

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        whole = ["heroku", "run", "--exit-code", "--no-tty", "--app", self.name, "--", *command]
        done = self._shell.ask(whole, self._limits.push)
        return done.code, done.output

    def promote_from(self, staging: Platform, commit: str) -> bool:
        """Promote within a pipeline the very slug that staging runs, not a second build of the same commit."""
        if not isinstance(staging, Heroku):
            return False
        (theirs, stage), (ours, _) = staging._coupling(), self._coupling()
        if theirs is None or theirs != ours or stage not in UPSTREAM:
            return False
        before = newest_version(self.releases())
        command = ["heroku", "pipelines:promote", "--app", staging.name, "--to", self.name]
        done = self._shell.show(command, self._limits.release)
        if done.code != 0 and newest_version(self.releases()) == before:  # else the release says whether it succeeded
            raise DeployError(f"{self.name} took no promotion (above it says why), and runs what it ran.")
        return True

    def roll_back(self, release: Release) -> bool:
        command = ["heroku", "rollback", f"v{release.version}", "--app", self.name]
        return self._shell.show(command, self._limits.release).code == 0

    def show_output(self, release: Release) -> None:
        command = ["heroku", "releases:output", f"v{release.version}", "--app", self.name]
        self._shell.show(command, self._limits.command)

    def advice(self, release: Release) -> str:
        return (
            "Fix what its last line says and push that; if nothing is wrong with the commit, run the release phase"
            f" again: heroku releases:retry --app {self.name}"
        )

    def _coupling(self) -> tuple[str | None, str | None]:
        """Return the id of the pipeline, and the stage in it; twice None: it is in no pipeline."""
        try:
            coupling = self._info()["pipeline_coupling"]
            return (str(coupling["pipeline"]["id"]), str(coupling["stage"])) if coupling else (None, None)
        except (KeyError, TypeError):
            raise self._rubbish("apps:info --json") from None

    def _info(self) -> Mapping[str, Any]:
        document = self._json(["apps:info", "--json"])
        if not isinstance(document, dict):
            raise self._rubbish("apps:info --json")
        return document

    def _json(self, words: Sequence[str], is_new: bool = True) -> Any:
        done = self._shell.ask(["heroku", *words, "--app", self.name], self._limits.command, is_new)
        if done.code != 0:
            raise DeployError(f"`heroku {words[0]} --app {self.name}` failed: {_complaint(done)}")
        try:
            return json.loads(done.output)
        except ValueError:
            raise self._rubbish(" ".join(words[:2])) from None

    def _rubbish(self, words: str) -> DeployError:
        return DeployError(
            f"`heroku {words} --app {self.name}` did not print what it is known to print, so nothing is known about"
            f" the release; run it by hand, and update the command line: heroku update"
        )


def _releases(document: Any) -> list[Release]:
    """Find commits: that of a release stands in the description of the one that was built, which has the same build."""
    commits: dict[str | None, str] = {}
    for one in document:
        if (build := _build(one)) and (built := BUILT.search(one["description"])):
            commits[build] = built[1]
    by_version: dict[int, Release] = {}
    for one in sorted(document, key=lambda one: int(one["version"])):
        version, status, description = int(one["version"]), one["status"], str(one["description"])
        if status not in STATUSES:
            raise ValueError
        built, rolled_back = BUILT.search(description), ROLLED_BACK.search(description)
        commit = built[1] if built else commits.get(_build(one))
        if commit is None and rolled_back and int(rolled_back[1]) in by_version:
            commit = by_version[int(rolled_back[1])].commit
        by_version[version] = Release(version, status, commit, description)
    return [by_version[version] for version in sorted(by_version, reverse=True)]


def _build(release: Mapping[str, Any]) -> str | None:
    """Return the id of its slug (Cedar) or of its image (Fir); the other one is null there."""
    build = release.get("slug") or release.get("oci_image")
    return str(build["id"]) if build else None


def _complaint(done: Done) -> str:
    """Return the sentence after "Error:". An empty line ends it, and warnings may stand before it."""
    lines = [line.strip(" ›") for line in (done.errors or done.output).splitlines()]
    found = next((number for number, line in enumerate(lines) if line.startswith("Error: ")), None)
    if found is None:
        return next((line for line in reversed(lines) if line), f"exit code {done.code}")
    sentence = itertools.takewhile(bool, lines[found:])  # a long one goes on in the next line
    return " ".join(sentence).removeprefix("Error: ")
