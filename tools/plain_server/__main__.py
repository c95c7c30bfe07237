"""Run the commands. `bin/receive` of a site calls `main`; `python3 -m plain_server FOLDER` makes a site."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .balancer import configuration
from .deploys import Deploys
from .errors import DeployError
from .place import Place
from .repository import BRANCH, BRANCHES, Push, Repository
from .setting_up import set_up
from .telling import say

MOST_SHOWN = 50  # releases


def pushed(deploys: Deploys, _: argparse.Namespace) -> None:
    """Answer git's proc-receive hook: deploy what is pushed to main and move main there, or refuse the push."""
    push = Push(sys.stdin.buffer, sys.stdout.buffer)
    try:
        branches = [update for update in push.updates if update.name.startswith(BRANCHES)]
        if others := [update.name for update in branches if update.name != BRANCH]:
            raise DeployError(f"Only main is deployed, not {', '.join(others)}: git push REMOTE HEAD:main")
        for main in branches:
            _deploy_if_unmoved(deploys, main.old, main.new)
    except (DeployError, OSError):
        push.refuse()
        raise
    push.accept()


def _deploy_if_unmoved(deploys: Deploys, seen: str | None, commit: str | None) -> None:
    """Deploy what is pushed, if main is still what the pusher saw (compare-and-swap).

    Raises:
        DeployError: it is not, or what is pushed is no commit, and nothing is built; or the deploy failed.
    """
    if commit is None:
        raise DeployError("main cannot be deleted: it is what serves.")
    if deploys.repository.commit(commit) != commit:
        raise DeployError("main has to be a commit, which a tag is not: git push REMOTE TAG^{commit}:main")
    with deploys.lock():
        live, main = deploys.records.live(), deploys.repository.main
        if live and live.commit == main == commit:  # somebody else has pushed the same
            say(f"{commit} is live already, as v{live.version}.")
            deploys.converge_if_possible()
            return
        if main != seen:
            raise DeployError(f"main is no longer what you saw, but {main}: git fetch, build on that, and push again.")
        release = deploys.deploy(commit, "push")
    say(f"v{release.version} is live.")


def activate(deploys: Deploys, arguments: argparse.Namespace) -> None:
    """Deploy a commit that was pushed before (a rollback), or the live one again, with a changed environment."""
    with deploys.lock():
        live = deploys.records.live()
        if arguments.commit is None and live is None:
            raise DeployError("Nothing is live yet: git push")
        commit = _resolve(deploys.repository, arguments.commit) if arguments.commit else live.commit  # type: ignore[union-attr]
        release = deploys.deploy(commit, "activate")
    say(f"v{release.version} is live: {commit}")


def _resolve(repository: Repository, name: str) -> str:
    commit = repository.commit(name)
    if commit is None:
        raise DeployError(f"{name} is no commit that was pushed here; see: receive releases")
    return commit


def resume(deploys: Deploys, _: argparse.Namespace) -> None:
    """Start what should run and does not, stop what should not: after a reboot, a crash, or a push that was killed."""
    with deploys.lock():
        deploys.converge()


def releases(deploys: Deploys, arguments: argparse.Namespace) -> None:
    """Print the newest releases, the newest first, as `heroku releases` shows them."""
    live = deploys.records.live()
    shown = [{**vars(release), "current": release == live} for release in reversed(deploys.records.all()[-MOST_SHOWN:])]
    if arguments.json:
        print(json.dumps(shown, indent=2))
        return
    for one in shown:
        mark = "*" if one["current"] else " "
        print(f"{mark} v{one['version']} {one['commit'][:12]} {one['status']} {one['updated_at']} {one['description']}")


def run(deploys: Deploys, arguments: argparse.Namespace) -> None:
    """Run a one-off command with the environment and the checkout of the live release: receive run flask …"""
    live = deploys.records.live()
    if live is None:
        raise DeployError("Nothing is live yet: git push")
    environment = deploys.place.environment_of(live.commit, live.version)
    os.chdir(deploys.place.releases / live.commit)
    try:
        os.execvpe(arguments.command[0], arguments.command, environment)  # noqa: S606 - who may push may run anything
    except OSError as error:
        raise DeployError(f"{arguments.command[0]}: {error.strerror}") from None


def haproxy(deploys: Deploys, _: argparse.Namespace) -> None:
    """Print the configuration of HAProxy, for /etc/haproxy/haproxy.cfg."""
    print(configuration(deploys.place), end="")


COMMANDS: dict[str, Callable[[Deploys, argparse.Namespace], None]] = {
    command.__name__: command for command in (pushed, activate, resume, releases, run, haproxy)
}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="receive", description="Deploys what is pushed; see docs/plain-server.md.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="chosen")
    added = {
        name: commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        for name, command in COMMANDS.items()
    }
    added["activate"].add_argument("commit", nargs="?", metavar="COMMIT")
    added["releases"].add_argument("--json", action="store_true")
    added["run"].add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    parsed = parser.parse_args(arguments)
    if parsed.chosen == "run" and not parsed.command:
        parser.error("run what?")
    return parsed


def main(root: str, arguments: list[str]) -> int:
    parsed = parse(arguments)
    try:
        COMMANDS[parsed.chosen](Deploys(Place(Path(root))), parsed)
    except (DeployError, OSError) as error:  # such as a full disk
        say(f"Error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python3 -m plain_server FOLDER")
    try:
        set_up(Path(sys.argv[1]).resolve())
    except DeployError as error:
        sys.exit(f"Error: {error}")
