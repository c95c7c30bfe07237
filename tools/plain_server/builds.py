"""Build a commit: its checkout, and the virtual environment of its requirements.txt."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from .errors import DeployError
from .place import Place

WHOLE = "installed"  # a file that is written last: an environment without it was not finished
KEPT = 5  # checkouts, for `activate`
# A wheel for everything, and the very files that were tested.
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:")
LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")  # of a Procfile, as Heroku reads it; what is none is passed over
SCRIPT = re.compile(rb"""(#!/bin/sh\n'''exec' )(.+)(?= "\$0" "\$@"\n)""")


def build(place: Place, commit: str) -> Path:
    """Return the checkout of a commit, with `.venv`. What is there already is used again.

    Raises:
        DeployError: it cannot be built.
    """
    checkout = place.releases / commit
    if not checkout.exists():
        _check_out(place, commit, checkout)
    os.utime(checkout)  # its time says when it was last deployed
    environment = place.virtual_environments / key(place.settings.python, checkout / "requirements.txt")
    if not (environment / WHOLE).exists():
        _install(place, environment, checkout / "requirements.txt")
    _point(checkout / ".venv", environment, draft=place.root / "venv.draft")
    return checkout


def _point(link: Path, environment: Path, draft: Path) -> None:
    """Link at once: the processes that run from this checkout never find none."""
    draft.unlink(missing_ok=True)
    draft.symlink_to(environment)
    draft.replace(link)


def _check_out(place: Place, commit: str, checkout: Path) -> None:
    """Check out under another name first, so that a checkout is whole and can be deployed, or is not there."""
    draft = place.root / "checkout.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with subprocess.Popen(["git", "--git-dir", place.repository, "archive", commit], stdout=subprocess.PIPE) as git:
        tar = subprocess.run(["tar", "--extract", "--directory", draft], stdin=git.stdout)
    if git.returncode != 0 or tar.returncode != 0:
        raise DeployError(f"The commit {commit} could not be checked out; is the disk full?")
    _require_whole(draft)
    draft.rename(checkout)


def _require_whole(checkout: Path) -> None:
    """Refuse a commit that cannot be deployed, whatever its packages are.

    Raises:
        DeployError: a file is missing, or is what it cannot be.
    """
    procfile(checkout)
    _read(checkout / "requirements.txt")
    if os.path.lexists(checkout / ".venv"):
        raise DeployError("The commit holds .venv, which is made here: git rm -r --cached .venv, and ignore it.")


def _read(file: Path) -> bytes:
    """Read a file of a commit.

    Raises:
        DeployError: it is not there, or a folder, or a link that leads to no file.
    """
    if not os.path.lexists(file):
        raise DeployError(f"The commit has no {file.name}.")
    if not os.path.isfile(file):
        raise DeployError(f"{file.name} of the commit is no file.")
    return file.read_bytes()


def key(python: str, requirements: Path) -> str:
    """Return a name for the pinned packages and the Python.

    Raises:
        DeployError: one of the two is not there.
    """
    pins = _read(requirements)
    try:
        version = subprocess.run([python, "-VV"], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise DeployError(f"{python} does not run; name another one as `python` in server.json.") from None
    return hashlib.sha256(b"\n".join([pins, python.encode(), version])).hexdigest()[:12]


def _install(place: Place, environment: Path, requirements: Path) -> None:
    if environment.exists():
        shutil.rmtree(environment)
    python = environment / "bin" / "python"
    log = place.log / "build.log"
    with log.open("w") as output:
        for command in (
            [place.settings.python, "-m", "venv", str(environment)],
            [str(python), *PIP, "--require-hashes", "--requirement", str(requirements)],
        ):
            if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode != 0:
                shutil.rmtree(environment, ignore_errors=True)
                raise DeployError(f"requirements.txt could not be installed: {last_line(log)}")
    _quote_scripts(environment)
    (environment / WHOLE).touch()


def _quote_scripts(environment: Path) -> None:
    """Quote the path of Python in the scripts that begin by /bin/sh, as pip writes them where it holds a space.

    pip leaves `$` and quotes in it as they are; see `_build_shebang` of distlib, which it has inside.
    """
    python = shlex.quote(f"{environment}/bin/python").encode()
    for script in (environment / "bin").iterdir():
        if script.is_file() and (first := SCRIPT.match(text := script.read_bytes())):
            script.write_bytes(first[1] + python + text[first.end(2) :])


def procfile(checkout: Path) -> dict[str, str]:
    """Return the command of each process type.

    Raises:
        DeployError: there is no Procfile with a web, or it is no text.
    """
    file = checkout / "Procfile"
    try:
        text = _read(file).decode("utf-8-sig") if os.path.lexists(file) else ""
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DeployError("Procfile of the commit is not UTF-8 text.")
    matches = (LINE.fullmatch(line.strip()) for line in text.splitlines())
    commands = {match[1]: match[2] for match in matches if match}
    if "web" not in commands:
        raise DeployError("The commit has no Procfile with a line `web:`.")
    if any(len(name) > 100 or len(command) > 30_000 for name, command in commands.items()):
        raise DeployError("Procfile of the commit has a line that is too long to be run.")
    return commands


def remove_old(place: Place, live: str) -> None:
    """Keep the checkouts that were deployed last, the live one in any case, and the environments that these use."""
    checkouts = sorted(place.releases.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    kept = [path for path in checkouts if path.name == live or path in checkouts[:KEPT]]
    used = {os.readlink(path / ".venv") for path in kept if (path / ".venv").is_symlink()}
    for path in checkouts:
        if path not in kept:
            shutil.rmtree(path)
    for path in place.virtual_environments.iterdir():
        if str(path) not in used and not path.is_symlink():
            shutil.rmtree(path)


def last_line(log: Path, begins: int = 0) -> str:
    """Return the last line of a log.

    Args:
        begins: the byte with which what is asked for begins.
    """
    with log.open("rb") as file:
        file.seek(begins)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"{log} says nothing."
