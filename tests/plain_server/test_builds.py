"""Builds are used again, and removed when nobody needs them; the record of releases survives whoever is killed."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tools.plain_server import builds
from tools.plain_server.errors import DeployError
from tools.plain_server.place import Place
from tools.plain_server.records import FAILED, PENDING, SUCCEEDED, Records

GIT = ("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    for folder in (place.releases, place.virtual_environments, place.log):
        folder.mkdir()
    (tmp_path / "server.json").write_text(json.dumps({"python": sys.executable}))
    return place


@pytest.fixture
def tree(place: Place) -> Path:
    """Make a tree that can be deployed, whose packages are installed; `build` commits it."""
    subprocess.run([*GIT, "init", "--quiet", "--bare", place.repository], check=True)
    tree = place.root / "tree"
    tree.mkdir()
    (tree / "Procfile").write_text("web: exec sleep 600\n")
    (tree / "requirements.txt").touch()
    environment = place.virtual_environments / builds.key(sys.executable, tree / "requirements.txt")
    environment.mkdir()
    (environment / builds.WHOLE).touch()
    return tree


def build(place: Place, tree: Path) -> Path:
    git = [*GIT, "--git-dir", str(place.repository), "--work-tree", str(tree)]
    subprocess.run([*git, "add", "--all", "--force"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "A tree"], check=True)
    return builds.build(place, subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip())


def deployed(place: Place, commit: str, time: float, environment: str) -> None:
    checkout = place.releases / commit
    checkout.mkdir()
    (place.virtual_environments / environment).mkdir(exist_ok=True)
    (checkout / ".venv").symlink_to(place.virtual_environments / environment)
    os.utime(checkout, (time, time))


REFUSED: list[tuple[str, bytes | Path | None, str]] = [
    (".venv", Path("/nowhere"), r"The commit holds \.venv, which is made here"),
    ("Procfile", Path("/dev/zero"), "Procfile of the commit is no file"),
    ("Procfile", "web: 한글\n".encode("cp949"), "Procfile of the commit is not UTF-8 text"),
    ("Procfile", b"web: exec sleep 600\0\n", "Procfile of the commit is not UTF-8 text"),
    ("Procfile", b"web:\n# web: true\nworker: true\n", "no Procfile with a line `web:`"),
    ("Procfile", b"web: true\n%b: true\n" % (b"w" * 101), "Procfile of the commit has a line that is too long"),
    ("Procfile", b"web: true\nworker: %b\n" % (b"w" * 30_001), "Procfile of the commit has a line that is too long"),
    ("requirements.txt", Path("."), r"requirements\.txt of the commit is no file"),
    ("requirements.txt", None, r"The commit has no requirements\.txt"),
]


def make(path: Path, made: bytes | Path | None) -> None:
    """Make a file with these bytes, a link, or nothing."""
    path.unlink(missing_ok=True)
    if isinstance(made, Path):
        path.symlink_to(made)
    elif made is not None:
        path.write_bytes(made)


@pytest.mark.parametrize(("name", "made", "sentence"), REFUSED)
def test_a_tree_that_cannot_be_deployed_is_refused_before_it_is_installed(
    place: Place, tree: Path, name: str, made: bytes | Path | None, sentence: str
) -> None:
    make(tree / name, made)
    installed = set(place.virtual_environments.iterdir())
    with pytest.raises(DeployError, match=sentence):
        build(place, tree)
    assert list(place.releases.iterdir()) == []
    assert set(place.virtual_environments.iterdir()) == installed


def test_what_a_deploy_does_not_read_or_can_read_is_no_hindrance(place: Place, tree: Path) -> None:
    make(tree / ".python-version", b"\xff\0")
    make(tree / "Procfile.real", "\ufeffweb: exec sleep 600\r\n".encode())
    make(tree / "Procfile", Path("Procfile.real"))
    checkout = build(place, tree)
    assert builds.procfile(checkout) == {"web": "exec sleep 600"}
    assert (checkout / ".venv" / builds.WHOLE).exists()


# Stands for Python, which takes seconds to bring pip into an environment: `-m venv` writes a script as pip does, by
# pip's own code, and a program that says who runs what.
MAKES_A_SCRIPT = f"""#!{sys.executable}
import pathlib, sys
from pip._vendor.distlib.scripts import ScriptMaker
python = pathlib.Path(sys.argv[3], "bin/python")
python.parent.mkdir(parents=True)
python.write_text('#!/bin/sh\\n[ "$1" = -m ] || echo "$0 $1"\\n')
sys.executable = str(python)
maker = ScriptMaker(None, python.parent)
maker.set_mode = True
maker.make("script = any.module:function")
python.chmod(0o755)
"""


def test_a_script_of_pip_runs_where_the_path_holds_what_a_shell_reads(tmp_path: Path) -> None:
    place = Place(tmp_path / """it's "the" $HOME of `a` 한글""")
    environment = place.virtual_environments / "environment"
    for folder in (place.root, place.log, environment.parent):
        folder.mkdir()
    (tmp_path / "python").write_text(MAKES_A_SCRIPT)
    (tmp_path / "python").chmod(0o755)
    (place.root / "server.json").write_text(json.dumps({"python": str(tmp_path / "python")}))
    requirements = place.root / "requirements.txt"
    requirements.touch()
    builds._install(place, environment, requirements)
    said = subprocess.check_output(["/bin/sh", "-c", shlex.quote(f"{environment}/bin/script")], text=True)
    assert said == f"{environment}/bin/python {environment}/bin/script\n"


def test_a_virtual_environment_is_named_by_its_packages_and_its_python(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("flask==3.1.0\n")
    other.write_text("flask==3.1.1\n")
    assert builds.key(sys.executable, one) == builds.key(sys.executable, one)
    assert builds.key(sys.executable, one) != builds.key(sys.executable, other)


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    with pytest.raises(DeployError, match="/nowhere/python does not run; name another one as `python`"):
        builds.key("/nowhere/python", tmp_path / "requirements.txt")


def test_a_command_of_the_procfile_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("# the web\nweb: gunicorn app:create_app\n\nclock: flask clock\na/b: x\nc d: x")
    assert builds.procfile(tmp_path) == {"web": "gunicorn app:create_app", "clock": "flask clock"}


def test_the_last_checkouts_and_the_live_one_are_kept_with_their_environments(place: Place) -> None:
    for number in range(8):
        deployed(place, f"commit-{number}", 1000 + number, f"venv-{number}")
    (place.virtual_environments / "unfinished").mkdir()
    builds.remove_old(place, live="commit-0")
    assert {path.name for path in place.releases.iterdir()} == {"commit-0", *(f"commit-{n}" for n in range(3, 8))}
    left = {path.name for path in place.virtual_environments.iterdir()}
    assert left == {"venv-0", *(f"venv-{n}" for n in range(3, 8))}


OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "releases.jsonl")


def test_the_newest_that_succeeded_is_live(records: Records) -> None:
    assert (records.all(), records.live()) == ([], None)
    begun = records.begin(OLD, "push")
    assert records.live() is None
    first = records.end(begun, SUCCEEDED)
    records.end(records.begin(NEW, "push"), FAILED, "push: it broke")
    records.begin(NEW, "push")
    assert records.live() == first
    assert [(one.version, one.status) for one in records.all()] == [(1, SUCCEEDED), (2, FAILED), (3, PENDING)]
    assert records.all()[1].description == "push: it broke"


def test_what_nobody_works_on_any_more_has_failed(records: Records) -> None:
    first = records.end(records.begin(OLD, "push"), SUCCEEDED)
    records.begin(NEW, "push")
    records.fail_interrupted()
    told = [(one.status, one.description) for one in records.all()]
    assert told == [(SUCCEEDED, "push"), (FAILED, "push: interrupted")]
    assert records.live() == first


@pytest.mark.parametrize("kept", [1, -2])
def test_a_line_that_was_cut_counts_as_not_written_and_spoils_no_other(records: Records, kept: int) -> None:
    first = records.end(records.begin(OLD, "push"), SUCCEEDED)
    whole = records.file.read_bytes()
    records.end(records.begin(NEW, "push"), SUCCEEDED)
    lines = records.file.read_bytes().splitlines(keepends=True)
    records.file.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    assert records.file.read_bytes().startswith(whole)
    assert records.live() == first
    third = records.end(records.begin(NEW, "push"), SUCCEEDED)
    assert records.live() == third
    assert third.version == 3
