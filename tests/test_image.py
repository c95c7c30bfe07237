"""The Dockerfile: the packages and the commands of the other platforms, nothing else, and not as root."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_platform import PRODUCTION

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def lines(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.+)$", DOCKERFILE, re.MULTILINE)


def test_it_is_free_of_what_a_linter_finds() -> None:
    assert HADOLINT, "make install brings it"
    lint = subprocess.run([HADOLINT, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


def test_it_has_the_python_the_packages_and_the_web_line_of_the_other_platforms() -> None:
    assert lines("FROM") == [f"python:{(ROOT / '.python-version').read_text().strip()}-slim"]
    assert any("--only-binary :all: --require-hashes --requirement requirements.txt" in run for run in lines("RUN"))
    web = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())["web"]
    assert [json.loads(command) for command in lines("CMD")] == [web.split()]


def test_the_code_runs_as_a_user_who_cannot_change_it() -> None:
    [user] = lines("USER")
    assert int(user) >= 1000
    assert "chown" not in DOCKERFILE


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Make a folder with what .dockerignore lets in."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for path in (path for pattern in allowed for path in ROOT.glob(pattern)):
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tmp_path)
    return tmp_path


def test_what_it_holds_is_enough_to_serve_and_has_no_secret(image: Path) -> None:
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines(), "what is not named stays out"
    assert not {".env", "instance", ".git", "tests", "runtime.txt"} & {path.name for path in image.iterdir()}
    command = [sys.executable, "start.py", "gunicorn", "--check-config"]  # which creates the application
    created = subprocess.run(command, cwd=image, env=PRODUCTION, capture_output=True, text=True)
    assert created.returncode == 0, created.stderr
    assert (image / "migrations/env.py").exists()
