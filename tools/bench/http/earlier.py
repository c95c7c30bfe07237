"""An earlier commit of this service as a target: a worktree, and a virtual environment made from its requirements."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench.http.venvs import virtual_environment
from tools.bench.service import ROOT

COMMIT = "2980f33"  # before this service's pages were made cheaper


@contextmanager
def worktree(folder: Path) -> Iterator[Path | None]:
    """A checkout of COMMIT; None where the history does not reach it, as in a shallow clone. Raises: RuntimeError."""
    if _git("cat-file", "-e", f"{COMMIT}^{{commit}}").returncode != 0:
        yield None
        return
    path = folder / "earlier"
    _git("worktree", "prune")  # of a run that was killed
    added = _git("worktree", "add", "--detach", str(path), COMMIT)
    if added.returncode != 0:
        raise RuntimeError(f"git cannot check {COMMIT} out: {added.stderr}")
    try:
        yield path
    finally:
        _git("worktree", "remove", "--force", str(path))


def environment(root: Path, service: dict[str, str], database_url: str) -> dict[str, str]:
    """That of the service, with the programs of the earlier commit."""
    programs = virtual_environment("earlier", root / "requirements.txt")
    return {**service, "DATABASE_URL": database_url, "PATH": f"{programs}:{service['PATH']}"}


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
