"""Ask a plain server by its own `receive` (tools/plain_server), which says the same words over ssh."""

import json
import shlex
from collections.abc import Sequence

from tools.deployment.errors import DeployError
from tools.deployment.limits import Limits
from tools.deployment.release import STATUSES, Platform, Release
from tools.deployment.shell import Shell


class PlainServer:
    """
    Args:
        receive: the command that runs it, such as "ssh semicircle@notes.example.com bin/receive".
    """

    def __init__(self, name: str, receive: str, shell: Shell, limits: Limits) -> None:
        self.name = name
        self._receive = shlex.split(receive)
        self._shell = shell
        self._limits = limits

    def require_access(self) -> None:
        """Ask nothing: the list of releases, which is asked for next, needs access too."""

    def releases(self, is_new: bool = True) -> list[Release]:
        done = self._shell.ask([*self._receive, "releases", "--json"], self._limits.command, is_new)
        if done.code != 0:
            last = done.errors.strip().splitlines()[-1:] or [f"exit code {done.code}"]
            raise DeployError(f"{self.name} does not tell its releases: {last[0]}")
        try:
            found = [Release(int(one["version"]), one["status"], one["commit"], "") for one in json.loads(done.output)]
        except (KeyError, TypeError, ValueError):
            raise DeployError(f"{self.name} did not print its releases; run: receive releases --json") from None
        if any(release.status not in STATUSES for release in found):
            raise DeployError(f"{self.name} tells a state of a release that is not known here: receive releases")
        return sorted(found, reverse=True)

    def site(self) -> str | None:
        return None

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        done = self._shell.ask([*self._receive, "run", *command], self._limits.push)
        return done.code, done.output

    def promote_from(self, staging: Platform, commit: str) -> bool:
        return False

    def roll_back(self, release: Release) -> bool:
        done = self._shell.show([*self._receive, "activate", str(release.commit)], self._limits.release)
        return done.code == 0

    def show_output(self, release: Release) -> None:
        """Show nothing: the output has come with the push."""

    def advice(self, release: Release) -> str:
        return "Fix what its last line says, and deploy again."
