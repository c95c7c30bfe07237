"""The world of bin/deploy: a checkout with two remotes, a `heroku` on the PATH, and two sites. No network."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
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


Plant = Callable[[World], object]


def planted(path: str, value: object) -> Plant:
    """Set what a path from the world names, such as staging.outcome."""
    owner, _, name = path.rpartition(".")
    return lambda world: setattr(getattr(world, owner), name, value)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a world that can be copied: all paths in it are relative."""
    folder = tmp_path_factory.mktemp("deployment")
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
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Yield a world; PATH and HOME of this process are its own meanwhile."""
    folder = shutil.copytree(template, tmp_path / "world")
    staging, production = (App(name, stage=remote) for remote, name in APPS.items())
    heroku = StandInHeroku([staging, production])
    heroku.forecast = (0, YES)
    sites = {"staging": StandInSite(lambda: staging.serves), "production": StandInSite(lambda: production.serves)}
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(folder))
    with installed(heroku, folder), served(sites["staging"]) as url, served(sites["production"]) as other_url:
        staging.web_url, production.web_url = f"{url}/", f"{other_url}/"
        yield World(folder / "checkout", heroku, staging, production, sites)
