"""`bin/rollback`: back to an earlier release, if the code of that one can serve on the database as it is by now."""

import json
import re
from typing import Any

from tools.deployment.errors import DeployError
from tools.deployment.limits import Limits
from tools.deployment.release import EXPIRED, SHORTEST, SUCCEEDED, Release, live, newest_version, wait_for_release
from tools.deployment.repository import Repository
from tools.deployment.shell import Shell
from tools.deployment.target import REMOTES, target


def roll_back(shell: Shell, limits: Limits, remote: str, to: str | None, anyway: bool) -> str:
    """Go back, and return what the remote runs.

    Args:
        to: a version such as v12, or a commit; None: the release before the live one.
        anyway: also if it is unsafe, or nobody knows.

    Raises:
        DeployError: there is no such release, it is unsafe, or it does not serve.
    """
    repository = Repository(shell, REMOTES)
    there = target(remote, repository, shell, limits)
    releases = there.platform.releases()
    before = _chosen(releases, to)
    if before.commit is None:
        raise DeployError(f"{there.platform.name} does not tell the commit of v{before.version}; name another release.")
    commit = repository.commit(before.commit)
    shell.journal.say(
        f"To v{before.version}, which is {commit[:12]}. The configuration of that release comes back too."
    )
    question = ("flask", "release", "plan", "--to", repository.head_revision(commit), "--json")
    _foretell(shell, *there.platform.run(question), anyway)
    newest = newest_version(releases)
    done = there.platform.roll_back(before)
    found = next((one for one in there.platform.releases() if one.version > newest), None)
    if found is None or not found.is_of(commit):
        raise DeployError(f"{there.platform.name} made no release of {commit[:12]}; above it says why.")
    release = wait_for_release(there.platform, found, limits, shell.journal)
    if not done:
        raise DeployError(f"{there.platform.name} could not end the rollback; above it says why.")
    there.check(commit, writes=False)
    return f"{remote} runs {commit[:12]} again, as v{release.version}"


def _chosen(releases: list[Release], to: str | None) -> Release:
    """Raises: DeployError."""
    runs = live(releases)
    if runs is None:
        raise DeployError("No release has succeeded yet, so there is none to go back to.")
    if to is None:
        return _before(releases, runs)
    named = [one for one in releases if _is_named(one, to)]
    if not named:
        raise DeployError(f"There is no release {to}; those that there are: heroku releases, or receive releases")
    found = next((one for one in named if one.status == SUCCEEDED), None)
    if found is None:
        why = "its build was deleted" if named[0].status == EXPIRED else f"it is {named[0].status}"
        raise DeployError(f"Nobody can go back to v{named[0].version}: {why}. Name another release.")
    if found.commit == runs.commit:
        raise DeployError(f"v{runs.version} is live, and is of the same commit as {to}; name another release.")
    return found


def _before(releases: list[Release], runs: Release) -> Release:
    """Return the newest of another commit: one that only changed the configuration is no way back."""
    for one in releases:
        if one.version < runs.version and one.status == SUCCEEDED and one.commit not in (None, runs.commit):
            return one
    raise DeployError("There is no earlier release of another commit to go back to.")


def _is_named(release: Release, name: str) -> bool:
    if re.fullmatch(r"v\d+", name):
        return release.version == int(name[1:])
    commit = release.commit
    return commit is not None and len(name) >= SHORTEST and (commit.startswith(name) or name.startswith(commit))


def _foretell(shell: Shell, code: int, output: str, anyway: bool) -> None:
    """Ask the ledger. Only a plain yes is one: exit code 0, and the answer. Raises: DeployError."""
    document = _document(output)
    answer = document.get("answer")
    for reason in document.get("reasons") or []:
        shell.journal.say(f"  {reason}")
    if code == 0 and answer == "yes":
        shell.journal.say("The ledger says that it is safe: that code can serve on the database as it is.")
        return
    words = {
        "no": "That code cannot serve on the database as it is (see above). Mend the newer code and deploy that",
        "unknown": "Nobody knows whether that code can serve on the database as it is (see above)",
    }
    word = words.get(str(answer), f"The forecast could not be made: `flask release plan` ended with exit code {code}")
    if not anyway:
        raise DeployError(f"{word}; or, if nothing else is left: bin/rollback … --anyway")
    shell.journal.say(f"{word}. Going on, as --anyway says.")


def _document(output: str) -> dict[str, Any]:
    """Return the first JSON object of the output: a one-off process may log lines before it."""
    for brace in re.finditer(r"{", output):
        try:
            document, _ = json.JSONDecoder().raw_decode(output, brace.start())
        except ValueError:
            continue
        if isinstance(document, dict) and "answer" in document:
            return document
    return {}
