"""`make install`: keyed on the content of what is pinned, built beside, and never taking away what works."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import install

ROOT = Path(__file__).parents[2]
UNKNOWN = "no-such-package==1 --hash=sha256:" + 64 * "0"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project, without a network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    pin(tmp_path, "# 1\n")
    return tmp_path


def pin(root: Path, content: str, name: str = "dev") -> None:
    (root / f"requirements-{name}.txt").write_text(content)


def wheel(folder: Path, version: str) -> str:
    """Make a package with a module and a program, and return its pin."""
    file, info = folder / f"more-{version}-py3-none-any.whl", f"more-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("more.py", f"def main() -> None:\n    print({version!r})\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: more\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nmore = more:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"more=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def already_built(root: Path, content: str) -> Path:
    """Make an environment for these pins, as if it had been built; making one really takes seconds."""
    pin(root, content)
    environment = root / ".venvs" / install.key(root)
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "flask").touch()
    (environment / install.WHOLE).touch()
    return environment


def used(root: Path) -> Path:
    return (root / ".venv").resolve()


def environments(root: Path) -> set[Path]:
    return {path for path in (root / ".venvs").iterdir() if path.is_dir()}


def said(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.servers
def test_it_makes_an_environment_whose_scripts_run_says_how_far_it_is_and_adds_a_further_list(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "SAY_EVERY", 0.05)
    unfinished = root / ".venvs" / install.key(root)
    unfinished.mkdir(parents=True)
    (unfinished / "half").touch()
    (root / ".venv" / "bin").mkdir(parents=True)  # not a link, as it once was
    install.install(root)
    printed = capsys.readouterr().out.splitlines()
    assert "  making an environment …" in printed
    assert "  0 of 0 packages downloaded …" in printed
    assert (root / ".venv").is_symlink()
    assert environments(root) == {used(root)}
    assert not (used(root) / "half").exists()
    assert str(root) in said(root / ".venv/bin/pip", "--version")

    # A further list is added to it, and replaced when it is whole.
    monkeypatch.setenv("PIP_FIND_LINKS", str(root))
    pin(root, wheel(root, "1"), "check")
    install.install(root, "check")
    environment = used(root)
    assert said(root / ".venv/bin/more") == "1"
    pin(root, wheel(root, "2"), "check")
    install.install(root, "check")
    assert said(root / ".venv/bin/more") == "2"
    assert said(root / ".venv/bin/python", "-c", "import more; more.main()") == "2"
    pin(root, UNKNOWN, "check")
    with pytest.raises(install.InstallError, match=r"packages of requirements-check\.txt could not be installed: No"):
        install.install(root, "check")
    assert said(root / ".venv/bin/more") == "2"
    assert used(root) == environment
    assert len([*environment.glob("check-*")]) == 1
    install.install(root)  # what needs no further list asks no network
    assert used(root) == environment


@pytest.mark.servers
def test_a_failed_installation_leaves_the_one_that_works(root: Path) -> None:
    before = already_built(root, "# 1\n")
    install.install(root)
    pin(root, UNKNOWN)
    with pytest.raises(install.InstallError) as refusal:
        install.install(root)
    assert str(refusal.value) == (
        "The packages of requirements-dev.txt could not be installed: No matching distribution found for"
        f" no-such-package==1 (all of it: {root}/.venvs/install.log);"
        " .venv is as it was, so .venv/bin/flask --app tools.dev.commands dev still runs."
    )
    assert environments(root) == {used(root)} == {before}


def test_a_further_list_adds_what_the_first_has_not(root: Path) -> None:
    a, b, c = (f"{name}==1 \\\n    --hash=sha256:{number}\n" for number, name in enumerate("abc"))
    pin(root, a + b)
    pin(root, f"{a}    # via x\n{b}{c}", "check")
    assert install.added_by(root, "check") == c


def test_the_environment_before_is_kept_for_the_way_back_and_the_time_of_the_file_says_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = already_built(root, "# 1\n")
    install.install(root)
    pin(root, "# 1\n    # via a service that has another name by now\n")
    os.utime(root / "requirements-dev.txt", (1, 1))
    install.install(root)
    assert (used(root), capsys.readouterr().out) == (first, "")
    second = already_built(root, "# 2\n")
    install.install(root)
    pin(root, "# 1\n")
    install.install(root)
    assert used(root) == first
    third = already_built(root, "# 3\n")
    install.install(root)
    assert used(root) == third
    assert environments(root) == {first, third}
    assert not second.exists()


def test_a_python_without_the_venv_module_is_told_in_one_sentence(root: Path) -> None:
    program = (
        "import sys; sys.modules['ensurepip'] = None\n"
        f"import pathlib; from tools import install; install.install(pathlib.Path({str(root)!r}))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    told = "cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
    assert run.stderr.splitlines()[-1].endswith(told)
    assert not (root / ".venv").exists()


def test_a_missing_or_old_python_is_told_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text(f"#!{sys.executable}\nimport sys\nsys.version_info = (3, 10)\nexec(sys.argv[2])\n")
    old.chmod(0o755)
    for python in (old, tmp_path / "missing"):
        command = ["make", "--no-print-directory", "install", f"PYTHON={python}"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        sentence, *others = (run.stdout + run.stderr).splitlines()
        assert run.returncode != 0
        told = "Semicircle needs Python 3.11 or newer; name one that is installed: make install PYTHON=python3.13"
        assert sentence == told
        assert all(line.startswith("make") for line in others)
