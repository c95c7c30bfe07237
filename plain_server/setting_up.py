"""Making the folder of a site, and putting this code there; again for a newer version of it."""

import shutil
import subprocess
import sys
from pathlib import Path

from plain_server.errors import DeployError

HERE = Path(__file__).parent
RECEIVE = """\
#!{python}
import sys

sys.path.insert(0, {code!r})
from plain_server.__main__ import main

sys.exit(main({root!r}, sys.argv[1:]))
"""
HOOK = """\
#!/bin/sh
exec {receive} pushed
"""
SERVER = """\
{
  "host": "localhost"
}
"""
ENVIRONMENT = """\
# NAME=value, as it is, without quotes; docs/configuration.md lists them. After a change: receive activate
APP_SETTINGS=config.ProductionConfig
"""


def set_up(root: Path) -> None:
    """
    Raises:
        DeployError: git is missing.
    """
    for folder in ("bin", "log", "releases", "sessions", "venvs"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    _write_once(root / "server.json", SERVER, 0o644)
    _write_once(root / "environment", ENVIRONMENT, 0o600)
    _put_code(root / "bin" / HERE.name)
    receive = root / "bin" / "receive"
    _write(receive, RECEIVE.format(python=sys.executable, code=str(root / "bin"), root=str(root)), 0o755)
    repository = root / "repository.git"
    if shutil.which("git") is None:
        raise DeployError("git is missing: apt-get install git")
    for command in (
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)],
        # What was live can be activated again, also when no branch leads to it any more.
        ["git", "--git-dir", str(repository), "config", "gc.pruneExpire", "never"],
    ):
        subprocess.run(command, check=True)
    _write(repository / "hooks" / "pre-receive", HOOK.format(receive=receive), 0o755)


def _put_code(folder: Path) -> None:
    if folder == HERE:
        return
    draft = folder.with_name("draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(HERE, draft, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def _write_once(file: Path, text: str, mode: int) -> None:
    if not file.exists():
        file.touch(mode)
        file.write_text(text)


def _write(file: Path, text: str, mode: int) -> None:
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(file)
