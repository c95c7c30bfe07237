"""`bin/deploy`: to staging what main is, to production what staging runs."""

from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits
from tools.deployment.release import FAILED, PENDING, Release, failed, live, newest_version, wait_for_release
from tools.deployment.repository import BRANCH, Repository
from tools.deployment.shell import Shell
from tools.deployment.target import PRODUCTION, REMOTES, STAGING, Target, target

TESTS = ("make", "test")


def deploy_staging(shell: Shell, limits: Limits) -> str:
    """Test main, push it, and see that it serves. Return what staging runs. Raises: DeployError."""
    repository = Repository(shell, REMOTES)
    commit = repository.require_deployable()
    staging = target(STAGING, repository, shell, limits)
    before = newest_version(staging.platform.releases())
    _require_tests(repository, commit, shell, limits.push)
    release = _push(repository, staging, commit, before)
    staging.check(commit, writes=True)
    return f"staging runs {commit[:12]} as v{release.version}"


def deploy_production(shell: Shell, limits: Limits, writes: bool) -> str:
    """Hand over to production what staging runs, and see that it serves. Return what production runs.

    Args:
        writes: whether the smoke journey may make an account there, and delete it.

    Raises:
        DeployError: staging does not run this very commit, or production does not.
    """
    repository = Repository(shell, REMOTES)
    commit = repository.require_deployable()
    staging = target(STAGING, repository, shell, limits)
    production = target(PRODUCTION, repository, shell, limits)
    _require_on_staging(staging, commit)
    before = newest_version(production.platform.releases())
    _require_tests(repository, commit, shell, limits.push)
    if production.platform.promote_from(staging.platform, commit):
        release = _released(production, commit, before)
    else:
        release = _push(repository, production, commit, before)
    production.check(commit, writes)
    return f"production runs {commit[:12]} as v{release.version}"


def _require_tests(repository: Repository, commit: str, shell: Shell, limit: float) -> None:
    """Run the quick tests, unless they have passed here for this very commit. Raises: DeployError."""
    journal: Journal = shell.journal
    if passed := journal.tests_passed_at(commit):
        journal.say(f"`make test` passed for {commit[:12]} at {passed}.")
        return
    if shell.show(TESTS, limit).code != 0:
        raise DeployError("The tests are red, so nothing was pushed: make test")
    if repository.require_deployable() != commit:
        raise DeployError(f"{BRANCH} has moved while the tests ran, so it was not tested; start again.")
    journal.note_tests_passed(commit)


def _require_on_staging(staging: Target, commit: str) -> None:
    """Ask staging itself, so that it does not matter who deployed there and from where. Raises: DeployError."""
    runs = live(staging.platform.releases())
    if runs is None or not runs.is_of(commit):
        there = f"{runs.commit} (v{runs.version})" if runs and runs.commit else "nothing"
        raise DeployError(
            f"Staging runs {there} and not {commit[:12]}, so production does not get it: bin/deploy staging"
        )
    staging.check(commit, writes=True)


def _push(repository: Repository, to: Target, commit: str, before: int) -> Release:
    if not repository.push(to.remote, commit, to.limits.push):
        _tell_failed_release(to, commit, before)
        raise DeployError(
            f"{to.remote} refused the push (above it says why). If somebody else has deployed: git fetch {to.remote}"
        )
    return _released(to, commit, before)


def _tell_failed_release(to: Target, commit: str, before: int) -> None:
    """Tell of the failed release: a platform that can refuse a push does so when the release phase has failed."""
    for release in to.platform.releases():
        if release.version > before and release.status == FAILED and release.is_of(commit):
            raise failed(to.platform, release)


def _released(to: Target, commit: str, before: int) -> Release:
    """Return the release of the commit, when it has succeeded and is live.

    Raises:
        DeployError: there is none, it failed, or another one is live.
    """
    releases = to.platform.releases()
    found = next((one for one in releases if one.version > before), None)
    if found is not None:
        ours = next((one for one in releases if one.version > before and one.is_of(commit)), None)
        if ours is None:
            raise DeployError(f"Release v{found.version} of {to.platform.name} is not of {commit[:12]}; who deployed?")
        return wait_for_release(to.platform, ours, to.limits, to.journal)
    return _released_before(to, releases, commit)


def _released_before(to: Target, releases: list[Release], commit: str) -> Release:
    """Return the release of an earlier deploy, which may have failed: git had nothing to push ("up-to-date")."""
    to.journal.say(f"{to.remote} has {commit[:12]} already.")
    ours = next((one for one in releases if one.is_of(commit)), None)
    if ours is None:
        raise DeployError(
            f"{to.platform.name} has the commit and no release of it; push another: git commit --allow-empty"
        )
    if ours.status == PENDING:
        return wait_for_release(to.platform, ours, to.limits, to.journal)
    if ours.status == FAILED:
        raise failed(to.platform, ours)
    runs = live(releases)
    if runs is None or not runs.is_of(commit):
        raise DeployError(
            f"{to.platform.name} was rolled back from {commit[:12]} since (v{runs.version if runs else 0} is live):"
            f" bin/rollback {to.remote} {commit[:12]}, or push a commit that mends it"
        )
    return runs
