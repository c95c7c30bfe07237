"""Run the two commands. Exit code 0: it serves; 1: it does not, and the last line says why; 130: interrupted."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.deployment.deploying import deploy_production, deploy_staging
from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits
from tools.deployment.repository import root_of
from tools.deployment.rolling_back import roll_back
from tools.deployment.shell import Shell
from tools.deployment.target import REMOTES, STAGING

INTERRUPTED = 130
DEFAULT = Limits()


def deploy(words: Sequence[str], folder: Path, limits: Limits = DEFAULT) -> int:
    parser = argparse.ArgumentParser(prog="bin/deploy", description="Deploy, and see that it serves.")
    parser.add_argument("remote", choices=REMOTES, help="staging: main; production: what staging runs")
    parser.add_argument("--write", action="store_true", help="in production too, let the smoke journey make an account")
    given = parser.parse_args(words)
    if given.remote == STAGING:
        return _logged(folder, "deploy staging", lambda shell: deploy_staging(shell, limits))
    return _logged(folder, "deploy production", lambda shell: deploy_production(shell, limits, given.write))


def rollback(words: Sequence[str], folder: Path, limits: Limits = DEFAULT) -> int:
    parser = argparse.ArgumentParser(prog="bin/rollback", description="Go back to an earlier release, if that is safe.")
    parser.add_argument("remote", choices=REMOTES)
    parser.add_argument("to", nargs="?", help="a version such as v12, or a commit; else the release before")
    parser.add_argument("--anyway", action="store_true", help="also if it is unsafe, or nobody knows")
    given = parser.parse_args(words)
    name = f"rollback {given.remote}"
    return _logged(folder, name, lambda shell: roll_back(shell, limits, given.remote, given.to, given.anyway))


def _logged(folder: Path, name: str, step: Callable[[Shell], str]) -> int:
    try:
        root = root_of(folder)
        journal = Journal(root, name)
    except (DeployError, OSError) as error:
        print(f"{name}: {error}")
        return 1
    try:
        journal.end(step(Shell(root, journal)))
    except DeployError as error:
        journal.end(f"red. {error}")
        return 1
    except KeyboardInterrupt:
        journal.end("interrupted. What was pushed may still go live; the same command again looks, and goes on.")
        return INTERRUPTED
    except BaseException as error:
        journal.end(f"red, by a mistake of this command ({type(error).__name__}).")
        raise
    return 0
