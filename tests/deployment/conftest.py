"""The world of bin/deploy: a checkout with two remotes, a `heroku` on the PATH, and two sites. No network."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deployment.heroku_stand_in import App, StandInHeroku, installed
from tests.deployment.stand_in_site import StandInSite, served
from tools.deployment import commands
from tools.deployment.limits import Limits

LIMITS = Limits(command=30, push=60, release=30, site=30, request=10, poll=0.01)
GIT = ("git", "-c", "user.name=h", "-c", "user.email=h@example.com", "-c", "init.defaultBranch=main")
APPS = {"staging": "semicircle-staging", "production": "semicircle-production"}
YES = json.dumps({"to": "0002", "answer": "yes", "live_at": None, "since": [], "reasons": []}, indent=2)


@dataclass
class World:
    checkout: Path
    heroku: StandInHeroku
    staging: App
    production: App
    sites: dict[str, StandInSite]

    def app(self, remote: str) -> App:
        return self.heroku.apps[APPS[remote]]

    def git(self, *words: str) -> str:
        done = subprocess.run([*GIT, *words], cwd=self.checkout, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def commit(self, file: str = "app.py", text: str = "") -> str:
        """Change a file and commit it. Return the commit."""
        path = self.checkout / file
        path.write_text(text or f"{path.read_text() if path.exists() else ''}#\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change {file}")
        return self.head()

    def has_released(self, remote: str, commit: str, outcome: str = "succeeded") -> None:
        """Add a release, as if it had been deployed before."""
        app = self.app(remote)
        app.add_release(f"Deploy {commit[:8]}", commit)
        usual, app.outcome = app.outcome, outcome
        app.end_releases()
        app.outcome = usual

    def deploy(self, *words: str, limits: Limits = LIMITS) -> int:
        return commands.deploy(words, self.checkout, limits)

    def rollback(self, *words: str, limits: Limits = LIMITS) -> int:
        return commands.rollback(words, self.checkout, limits)

    def log(self) -> str:
        """Return the log of the newest deploy or rollback; empty when there is none."""
        files = sorted((self.checkout / "instance/deploys").glob("*.log"))
        return files[-1].read_text() if files else ""


def make_template(folder: Path) -> None:
    """Make a world that can be copied: all paths in it are relative."""
    checkout = folder / "checkout"
    (checkout / "migrations/versions").mkdir(parents=True)
    (checkout / "Makefile").write_text("test:\n\t@echo 3 passed\n")
    (checkout / ".gitignore").write_text("instance/\n")
    (checkout / "migrations/versions/0001.py").write_text('revision = "0001"\ndown_revision = None\n')
    (checkout / "migrations/versions/0002.py").write_text('revision = "0002"\ndown_revision = "0001"\n')

    def git(*words: str, cwd: Path = checkout) -> None:
        subprocess.run([*GIT, *words], cwd=cwd, check=True, capture_output=True)

    git("init", "--quiet", "--template=")
    for remote, app in APPS.items():
        git("init", "--quiet", "--bare", "--template=", f"{app}.git", cwd=folder)
        url = f"https://git.heroku.com/{app}.git"
        git("remote", "add", remote, url)
        git("config", f"url.../{app}.git.insteadOf", url)
    git("add", "--all")
    git("commit", "--quiet", "--message", "Begin")


@contextmanager
def world_in(folder: Path, template: Path) -> Iterator[World]:
    """Make a world; PATH and HOME of this process are its own meanwhile."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    staging, production = (App(name, stage=remote) for remote, name in APPS.items())
    heroku = StandInHeroku([staging, production])
    heroku.forecast = (0, YES)
    sites = {
        "staging": StandInSite(lambda: staging.serves),
        "production": StandInSite(lambda: production.serves),
    }
    before = dict(os.environ)
    with ExitStack() as stack:
        stack.enter_context(installed(heroku, folder))
        staging.web_url = f"{stack.enter_context(served(sites['staging']))}/"
        production.web_url = f"{stack.enter_context(served(sites['production']))}/"
        os.environ.update(PATH=f"{folder / 'bin'}:/usr/bin:/bin", HOME=str(folder))
        try:
            yield World(folder / "checkout", heroku, staging, production, sites)
        finally:
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment") / "template"
    make_template(folder)
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path / "world", template) as world:
        yield world
