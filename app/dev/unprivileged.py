"""PostgreSQL refuses to run as root. As root we run it as `nobody`, so its folders have to be open to that user."""

import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

ACCOUNT = "nobody"


def owner() -> int:
    """The user id that PostgreSQL runs as: ours, unless that is root's."""
    return pwd.getpwnam(ACCOUNT).pw_uid if os.geteuid() == 0 else os.geteuid()


def popen_options() -> dict[str, Any]:
    """What makes `subprocess` start a command as that user."""
    if os.geteuid() != 0:
        return {}
    return {"user": owner(), "group": pwd.getpwnam(ACCOUNT).pw_gid, "extra_groups": []}


def open_folders(readable: Iterable[Path], reachable: Iterable[Path]) -> None:
    """Let that user read some folders and reach others, and print which changed. Does nothing unless we are root.

    Args:
        readable: these and all that is in them get r, and x where it belongs.
        reachable: every folder above these (and above `readable`) gets x: it can be passed through and not be listed.
    """
    if os.geteuid() != 0:
        return
    readable = list(readable)
    above = {parent for path in (*readable, *reachable) for parent in path.parents}
    opened = [folder for folder in sorted(above) if _grant(folder, stat.S_IXOTH)]
    opened += [tree for tree in readable if _grant_tree(tree)]
    if opened:
        click.echo(f"PostgreSQL runs as {ACCOUNT}; opened to it: {', '.join(map(str, opened))}")


def _grant_tree(tree: Path) -> bool:
    """As `chmod -R o+rX`."""
    changed = False
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            is_runnable = path.stat().st_mode & stat.S_IXUSR
            changed |= _grant(path, stat.S_IROTH | (stat.S_IXOTH if is_runnable else 0))
    return changed


def _grant(path: Path, bits: int) -> bool:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits == bits:
        return False
    path.chmod(mode | bits)
    return True
