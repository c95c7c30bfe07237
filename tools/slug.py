"""`make slug`: the size of what a dyno is sent, compressed as a platform does it: our files and the packages.

Python itself comes on top; it is the platform's. Reads what is committed, so a dirty tree changes nothing.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 500  # MB, compressed: what Heroku takes
PIP = (
    *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
    *("--only-binary", ":all:", "--require-hashes", "--requirement"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, packages = folder / "files", folder / "packages"
        check_out(files)
        subprocess.run([*PIP, "requirements.txt", "--target", str(packages)], cwd=ROOT, check=True)
        sizes = {"our files": compressed(files), "packages of requirements.txt": compressed(packages)}
    for what, size in sizes.items():
        print(f"{size / 1e6:7.1f} MB  {what}")
    whole = sum(sizes.values()) / 1e6
    print(f"{whole:7.1f} MB  the slug, without Python; Heroku takes {LARGEST} MB")
    if whole > LARGEST:
        sys.exit("The slug is too large; name what a dyno does not need in .slugignore.")


def check_out(folder: Path) -> None:
    """Copy what is committed, without what .slugignore names."""
    archive = folder.with_suffix(".tar")
    subprocess.run(["git", "archive", f"--output={archive}", "HEAD"], cwd=ROOT, check=True)  # noqa: S607
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    for line in (folder / ".slugignore").read_text(encoding="utf-8").split():
        for path in folder.glob(line.strip("/")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def compressed(folder: Path) -> int:
    """Return the bytes of the folder as a .tar.gz."""
    archive = folder.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, ".")
    return archive.stat().st_size


if __name__ == "__main__":
    main()
