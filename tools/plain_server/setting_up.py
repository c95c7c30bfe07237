"""Make the folder of a site, and put this code there; again for a newer version of it."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import DeployError

HERE = Path(__file__).parent
RECEIVE = """\
#!/bin/sh
exec {python} -c {program} "$0" "$@"
"""
# {root!a}: in ASCII, whatever the locale is of who runs it. Somebody else, such as root, would leave files that the
# owner cannot replace, compiled code first, and would start the web as themselves.
PROGRAM = """\
import os, shlex, sys
if os.geteuid() != os.stat({root!a}).st_uid:
    who, what = "$(stat -c %U " + shlex.quote({root!a}) + ")", shlex.quote(shlex.join(sys.argv[1:]))
    sys.exit("Error: only the owner of the folder runs this: su " + who + " -c " + what)
sys.path.insert(0, {code!a})
from plain_server.__main__ import main
sys.exit(main({root!a}, sys.argv[2:]))
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
        DeployError: git is missing, or a path like this cannot be used.
    """
    refused = {":", "\\"} & set(str(root))  # PATH cannot hold the one, a script of pip not the other
    if refused or not str(root).isprintable():
        raise DeployError("The folder's path holds a colon, a backslash or a line break; name another one.")
    for folder in ("bin", "log", "releases", "sessions", "venvs"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    _write_once(root / "server.json", SERVER, 0o644)
    _write_once(root / "environment", ENVIRONMENT, 0o600)
    _put_code(root / "bin" / HERE.name)
    receive = root / "bin" / "receive"
    program = PROGRAM.format(code=str(root / "bin"), root=str(root))
    _write(receive, RECEIVE.format(python=shlex.quote(sys.executable), program=shlex.quote(program)), 0o755)
    repository = root / "repository.git"
    if shutil.which("git") is None:
        raise DeployError("git is missing: apt-get install git")
    config = ["git", "--git-dir", str(repository), "config"]
    branch = [] if repository.exists() else ["--initial-branch=main"]  # git warns where it has one
    for command in (
        ["git", "init", "--quiet", "--bare", *branch, str(repository)],
        # A commit that was live can be activated again, also when no branch leads to it any more.
        [*config, "gc.pruneExpire", "never"],
        [*config, "receive.procReceiveRefs", "refs"],
        # A push that the hook has accepted cannot be taken back for a tag that git refuses.
        [*config, "receive.advertiseAtomic", "false"],
    ):
        subprocess.run(command, check=True)
    hooks = repository / "hooks"
    _write(hooks / "proc-receive", HOOK.format(receive=shlex.quote(str(receive))), 0o755)
    (hooks / "pre-receive").unlink(missing_ok=True)  # of a version of this code before main was moved by its hook


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
        file.write_text(text, encoding="utf-8")


def _write(file: Path, text: str, mode: int) -> None:
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(file)
