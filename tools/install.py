"""`make install`: put the packages of requirements-dev.txt into `.venv`.

`.venv` is a symbolic link to a folder in `.venvs/`. The name of that folder is a hash of the pinned packages and of the
Python, so it changes exactly when one of them does. A new environment is built under its own name, since its scripts
carry absolute paths, and the link is moved when it is whole. So an installation that fails leaves `.venv` as it was.

Runs before anything is installed: standard library only.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = "requirements-dev.txt"
KEPT = 2  # environments: the one in use, and the one before, so that switching branches back needs no network
WHOLE = "installed"  # a file that is written last: an environment without it was not finished
PIP = (
    *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
    *("--only-binary", ":all:", "--require-hashes", "--requirement"),  # a wheel for everything: no compiler is needed
)


class InstallError(Exception):
    """Give up: the packages cannot be installed. The message is one sentence that says what to do."""


def install(root: Path) -> None:
    """Make `.venv` hold what requirements-dev.txt pins; does nothing when it does.

    Raises:
        InstallError: it cannot be done; `.venv` is as it was.
    """
    link, folder = root / ".venv", root / ".venvs"
    environment = folder / key(root)
    if is_whole(environment) and link.is_symlink() and link.resolve() == environment.resolve():
        return
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:  # `make dev` and `make test` may both find that it is missing
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(environment):
            build(environment, root)
        point(link, environment)
        remove_old(folder, environment)


def key(root: Path) -> str:
    """Return a name for the pinned packages, this Python and this place (the scripts hold its path)."""
    parts = [(root / REQUIREMENTS).read_text(encoding="utf-8"), sys.version, sys.base_prefix, str(root)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def is_whole(environment: Path) -> bool:
    return (environment / WHOLE).exists()


def build(environment: Path, root: Path) -> None:
    require_venv_module()
    print(f"Installing the packages of {REQUIREMENTS} …", flush=True)
    if environment.exists():
        shutil.rmtree(environment)
    log = environment.parent / "install.log"
    with log.open("w") as output:
        for command in (
            [sys.executable, "-m", "venv", str(environment)],
            [str(environment / "bin" / "python"), *PIP, REQUIREMENTS],
        ):
            if subprocess.run(command, cwd=root, stdout=output, stderr=subprocess.STDOUT).returncode != 0:
                shutil.rmtree(environment, ignore_errors=True)
                raise InstallError(failure(root, log))
    (environment / WHOLE).touch()


def require_venv_module() -> None:
    """Say what to install: Debian has the modules in a package of their own."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise InstallError(
            f"{sys.executable} cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
        ) from None


def failure(root: Path, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = (errors or lines or ["nothing"])[-1].strip()
    still_runs = "; .venv is as it was, so .venv/bin/flask --app tools.dev.commands dev still runs"
    way_on = still_runs if (root / ".venv/bin/flask").exists() else ""
    return f"The packages of {REQUIREMENTS} could not be installed: {said.rstrip('.')} (all of it: {log}){way_on}."


def point(link: Path, environment: Path) -> None:
    """Let `.venv` lead to another environment, at once: nobody ever finds none."""
    new = environment.parent / "link"
    new.unlink(missing_ok=True)
    new.symlink_to(environment.relative_to(link.parent))
    if link.is_dir() and not link.is_symlink():  # what `make install` made before it made links
        link.rename(environment.parent / "before")
    new.replace(link)


def remove_old(folder: Path, current: Path) -> None:
    """Keep the environment in use and the newest of the others."""
    os.utime(current)  # its time says when it was last switched to
    others = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink() and path != current]
    whole = sorted(filter(is_whole, others), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others:
        if path not in whole[: KEPT - 1]:
            shutil.rmtree(path)


if __name__ == "__main__":
    try:
        install(ROOT)
    except InstallError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("The packages are not installed; run it again.")
    except OSError as error:
        sys.exit(f"The packages could not be installed: {error}; fix that and run it again.")
