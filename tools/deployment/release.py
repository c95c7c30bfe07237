"""Read releases as every platform tells them, and wait for one to end."""

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits

PENDING, SUCCEEDED, FAILED, EXPIRED = "pending", "succeeded", "failed", "expired"
STATUSES = (PENDING, SUCCEEDED, FAILED, EXPIRED)  # expired: its build was deleted, so there is no way back to it


SHORTEST = 7  # characters of a commit


class Release(NamedTuple):
    """
    Args:
        commit: whole, or its first seven characters at least; None: the platform does not tell.
    """

    version: int
    status: str
    commit: str | None
    description: str

    def is_of(self, commit: str) -> bool:
        return names(self.commit, commit)


def names(told: object, commit: str) -> bool:
    """Tell whether this commit was told: the whole of it, or its beginning. One letter is that of many commits."""
    return isinstance(told, str) and len(told) >= SHORTEST and commit.startswith(told)


class Platform(Protocol):
    """Name what a remote offers. Each method raises DeployError when the platform does not answer as it should."""

    name: str

    def require_access(self) -> None: ...

    def releases(self, is_new: bool = True) -> list[Release]:
        """Return the newest first. `is_new`: print the command."""

    def site(self) -> str | None:
        """Return the address of the site, where the platform knows it."""

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a one-off process with the live release's code and environment. Return its exit code and output."""

    def promote_from(self, staging: "Platform", commit: str) -> bool:
        """Take over the build of staging; False: that cannot be done, so the commit has to be pushed."""

    def roll_back(self, release: Release) -> bool: ...

    def show_output(self, release: Release) -> None:
        """Show what the release phase wrote."""

    def advice(self, release: Release) -> str:
        """Return how to run a failed release phase again."""


def live(releases: Sequence[Release]) -> Release | None:
    """Return the newest that succeeded: what failed or is pending does not serve."""
    return next((release for release in releases if release.status == SUCCEEDED), None)


def newest_version(releases: Sequence[Release]) -> int:
    return max((release.version for release in releases), default=0)


def wait_for_release(platform: Platform, found: Release, limits: Limits, journal: Journal) -> Release:
    """Wait until the release phase has ended. `git push` does not tell: it is green when the release phase is red.

    Raises:
        DeployError: it failed, or is still pending after `limits.release` seconds.
    """
    journal.say(f"Waiting for release v{found.version} of {platform.name} …")
    deadline = time.monotonic() + limits.release
    release: Release | None = found
    while release is not None and release.status == PENDING:
        if time.monotonic() > deadline:
            raise DeployError(
                f"Release v{found.version} of {platform.name} is still pending after {limits.release:g} s; what serves"
                " has not changed. Look at what it waits for: flask release status"
            )
        time.sleep(limits.poll)
        release = next((one for one in platform.releases(is_new=False) if one.version == found.version), None)
    if release is None:
        raise DeployError(f"{platform.name} does not list its release v{found.version} any more; look at its releases.")
    if release.status == SUCCEEDED:
        journal.say(f"Release v{release.version} succeeded.")
        return release
    raise failed(platform, release)


def failed(platform: Platform, release: Release) -> DeployError:
    platform.show_output(release)
    return DeployError(
        f"Release v{release.version} of {platform.name} {release.status}; the release before it serves on."
        f" {platform.advice(release)}"
    )
