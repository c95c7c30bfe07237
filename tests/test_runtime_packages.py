"""With the packages of requirements.txt alone: production runs, and development says in one sentence what it lacks."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_platform import PRODUCTION

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


def run(packages: Path, *module: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a module. Without `site` (-S) Python sees no package but these."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "FLASK_SKIP_DOTENV": "1", **env}
    command = [sys.executable, "-S", "-m", *module]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["flask run --debug", "flask db upgrade", "gunicorn -b 127.0.0.1:0"])
def test_development_says_what_to_install_and_ends(packages: Path, command: str) -> None:
    ended = run(packages, *command.split(), APP_SETTINGS="config.DevelopmentConfig")
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1] == LACKS + INSTALL
    listed = run(packages, "flask", "--help", APP_SETTINGS="config.DevelopmentConfig")
    assert LACKS + INSTALL in listed.stderr
    assert "Traceback" not in ended.stderr + listed.stdout + listed.stderr


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


def test_production_runs_with_them(packages: Path) -> None:
    assert run(packages, "start", **PRODUCTION).returncode == 0
    listed = run(packages, "flask", "routes", **PRODUCTION)
    assert listed.returncode == 0, listed.stderr
    assert "/notes" in listed.stdout
