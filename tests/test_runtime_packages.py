"""With the packages of requirements.txt alone: production runs, and development says in one sentence what it lacks."""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3

from tests.databases import Environment
from tests.test_config import KEY, shown_to_plain_servers
from tests.test_platform import PRODUCTION
from tools.dev import ports
from tools.dev.processes import Child, spawn

ROOT = Path(__file__).parents[1]
LACKS = "Error: APP_SETTINGS names config.DevelopmentConfig, which needs psutil; install it with: "
INSTALL = "python -m pip install -r requirements-dev.txt"
pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of what `pip install -r requirements.txt` installs, linked from where it is installed."""
    folder: Path = tmp_path_factory.mktemp("packages")
    for name in re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder


def seeing(packages: Path, env: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "FLASK_SKIP_DOTENV": "1", **env}


def command(*module: str) -> list[str]:
    """Return the command of a module. Without `site` (-S) Python sees no package but those of PYTHONPATH."""
    return [sys.executable, "-S", "-m", *module]


def run(packages: Path, *module: str, **env: str) -> subprocess.CompletedProcess[str]:
    seen = seeing(packages, env)
    return subprocess.run(command(*module), cwd=ROOT, env=seen, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("line", ["flask run --debug", "flask --help", "gunicorn -b 127.0.0.1:0"])
def test_development_says_what_to_install(packages: Path, line: str) -> None:
    ended = run(packages, *line.split(), APP_SETTINGS="config.DevelopmentConfig")
    assert (ended.returncode == 0, ended.stdout != "") == (("--help" in line,) * 2)
    assert LACKS + INSTALL in ended.stderr.splitlines()
    assert "Traceback" not in ended.stderr


def test_a_machine_without_time_zones_is_refused(packages: Path, tmp_path: Path) -> None:
    for package in packages.iterdir():
        if package.name != "tzdata":
            (tmp_path / package.name).symlink_to(package)
    ended = run(tmp_path, "start", **PRODUCTION, PYTHONTZPATH="")
    assert ended.returncode != 0
    assert ended.stderr.splitlines()[-1] == (
        "Error: There is no usable time zone data; install it with: python -m pip install -r requirements.txt"
    )
    assert "Traceback" not in ended.stderr


def test_the_plain_way_leads_to_a_ready_site(packages: Path, environment: Environment, tmp_path: Path) -> None:
    """With requirements.txt, the environment of docs/plain-server.md, and the lines of the Procfile."""
    [port] = ports.find_free(1)
    env = {**shown_to_plain_servers(), **environment, "SECRET_KEY": KEY, "PORT": str(port), "WEB_HOST": "127.0.0.1"}
    upgraded = run(packages, "start", "flask", "db", "upgrade", **env)
    assert upgraded.returncode == 0, upgraded.stderr
    web = Child("web", spawn(command("start", "gunicorn"), log=tmp_path / "log", cwd=ROOT, env=seeing(packages, env)))
    web.wait_until(lambda: is_ready(port), 60)
    web.stop()


def is_ready(port: int) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", timeout=2, retries=False).status == 200
    return False
