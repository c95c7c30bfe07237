"""Run as a script in a checkout: does `flask …` in forks of one warm process, each of which may be told to die.

Each line of stdin is JSON: environment, arguments and, to die, die_at (number of a statement), when ("before" or
"after" it; "commit" for right before the commit of that number) and signal. Each line of stdout: status (the exit code,
or minus the signal), statements and commits (how many were begun) and output.
"""

import json
import os
import sys
import tempfile
import threading
from typing import Any

sys.path.insert(0, os.getcwd())

from flask.cli import cli
from sqlalchemy import event
from sqlalchemy.engine import Engine


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as counted:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            be(request, counted.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        counted.seek(0)
        begun = counted.read()
        return {
            "status": status,
            "statements": begun.count(b"."),
            "commits": begun.count(b"c"),
            "output": output.read().decode(),
        }


def be(request: dict[str, Any], counted: int) -> None:
    """The child: one command, to its end or to its death."""
    os.environ.update(request["environment"])
    seen = {"before": 0, "after": 0, "commit": 0}
    marks = {"before": b".", "after": b"", "commit": b"c"}

    def count(when: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # the watcher of the blockers
        seen[when] += 1
        os.write(counted, marks[when])
        if when == request.get("when") and seen[when] == request.get("die_at"):
            os.kill(os.getpid(), request["signal"])

    event.listen(Engine, "before_cursor_execute", lambda *_: count("before"))
    event.listen(Engine, "after_cursor_execute", lambda *_: count("after"))
    event.listen(Engine, "commit", lambda _: count("commit"))
    try:
        cli.main(request["arguments"], standalone_mode=True)
    except SystemExit as ending:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ending.code if isinstance(ending.code, int) else 1)


if __name__ == "__main__":
    main()
