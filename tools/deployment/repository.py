"""Ask git what would be deployed."""

import re
from pathlib import Path

from tools.deployment.errors import DeployError
from tools.deployment.shell import Done, Shell

BRANCH = "main"
LIMIT = 120.0  # seconds
REVISION = re.compile(r"^(down_revision|revision)\b[^=]*= *(.+)$")
NAMES = re.compile(r"[\"'](\w+)[\"']")


class Repository:
    def __init__(self, shell: Shell, remotes: tuple[str, ...]) -> None:
        self._shell = shell
        self._remotes = remotes

    def require_deployable(self) -> str:
        """Return the commit to deploy: main, with nothing beside it that only this machine has.

        Raises:
            DeployError: the tree is not clean, another branch is checked out, or the branch differs from its upstream.
        """
        changed = self._git("status", "--porcelain").output.strip()
        if changed:
            [first, *_] = changed.splitlines()
            raise DeployError(f"The tree is not clean ({first.split()[-1]}): commit or stash what is changed.")
        branch = self._git("branch", "--show-current").output.strip()
        if branch != BRANCH:
            raise DeployError(f"{branch or 'No branch'} is checked out: git switch {BRANCH}")
        self._require_in_step()
        return self.commit("HEAD")

    def commit(self, name: str) -> str:
        """Return the whole name of a commit. Raises: DeployError."""
        done = self._git("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}", may_fail=True)
        if done.code != 0:
            raise DeployError(f"This checkout does not have the commit {name}: git fetch")
        return done.output.strip()

    def setting(self, remote: str, name: str) -> str | None:
        return self._git("config", "--get", f"remote.{remote}.{name}", may_fail=True).output.strip() or None

    def push(self, remote: str, commit: str, limit: float) -> bool:
        """Push the commit that was tested, whatever main is by now. Return whether the remote took it."""
        return self._shell.show(["git", "push", remote, f"{commit}:refs/heads/{BRANCH}"], limit).code == 0

    def head_revision(self, commit: str) -> str:
        """Return the newest migration that the code of a commit has.

        Raises:
            DeployError: it has none, or several.
        """
        command = ("grep", "-h", "-E", r"^(down_)?revision\b", commit, "--", "migrations/versions")
        found: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
        for line in self._git(*command, may_fail=True).output.splitlines():
            if match := REVISION.match(line):
                found[match[1]] |= set(NAMES.findall(match[2]))
        heads = found["revision"] - found["down_revision"]
        if len(heads) != 1:
            raise DeployError(f"The code of {commit[:12]} has {len(heads)} newest migrations, so nothing is foretold.")
        return heads.pop()

    def _require_in_step(self) -> None:
        upstream = self._git("rev-parse", "--abbrev-ref", f"{BRANCH}@{{upstream}}", may_fail=True).output.strip()
        remote = upstream.partition("/")[0]
        if not remote or remote in self._remotes:
            return
        self._git("fetch", "--quiet", remote)
        if self.commit(upstream) != self.commit("HEAD"):
            raise DeployError(f"{BRANCH} and {upstream} differ: git pull, or git push, so that others have it too.")

    def _git(self, *words: str, may_fail: bool = False) -> Done:
        done = self._shell.ask(["git", *words], LIMIT, is_new=False)
        if done.code != 0 and not may_fail:
            raise DeployError(f"git {words[0]} failed: {(done.errors.strip().splitlines() or ['no word'])[-1]}")
        return done


def root_of(folder: Path) -> Path:
    """Return the checkout that a folder is in. Raises: DeployError."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    raise DeployError(f"{folder} is in no git checkout.")
