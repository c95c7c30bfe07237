"""Building a commit: its checkout, and the virtual environment of its requirements.txt."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from plain_server.errors import DeployError
from plain_server.place import Place

WHOLE = "installed"  # a file that is written last: an environment without it was not finished
KEPT = 5  # checkouts, for `activate`
# A wheel for everything, and the very files that were tested.
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:")


def build(place: Place, commit: str) -> Path:
    """The checkout of a commit, with `.venv`. What is there already is used again.

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
    _point(checkout / ".venv", environment)
    return checkout


def _point(link: Path, environment: Path) -> None:
    """At once: the processes that run from this checkout never find none."""
    draft = link.with_name(".venv.draft")
    draft.unlink(missing_ok=True)
    draft.symlink_to(environment)
    draft.replace(link)


def _check_out(place: Place, commit: str, checkout: Path) -> None:
    """Under another name first, so that a checkout is whole or not there."""
    draft = place.root / "checkout.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    git = subprocess.Popen(["git", "--git-dir", place.repository, "archive", commit], stdout=subprocess.PIPE)
    tar = subprocess.run(["tar", "--extract", "--directory", draft], stdin=git.stdout)
    if git.wait() != 0 or tar.returncode != 0:
        raise DeployError(f"The commit {commit} could not be checked out; is the disk full?")
    draft.rename(checkout)


def key(python: str, requirements: Path) -> str:
    """A name for the pinned packages and the Python.

    Raises:
        DeployError: one of the two is not there.
    """
    try:
        pins = requirements.read_bytes()
    except OSError:
        raise DeployError("The commit has no requirements.txt.") from None
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
    (environment / WHOLE).touch()


def procfile(checkout: Path) -> dict[str, str]:
    """The command of each process type.

    Raises:
        DeployError: there is no Procfile with a web.
    """
    file = checkout / "Procfile"
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = (line.partition(":") for line in lines if not line.startswith("#"))
    commands = {name.strip(): command.strip() for name, colon, command in pairs if colon}
    if "web" not in commands:
        raise DeployError("The commit has no Procfile with a line `web:`.")
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


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"{log} is empty."
