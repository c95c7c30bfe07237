"""Run as a script: does `flask …` in forks of one warm process, each of which may be told to die.

Its arguments are modules to import before, besides those of others that take Python the longest.

Each line of stdin is JSON: folder (the checkout), environment, arguments and, to die, die_at (number of a statement),
when ("before" or "after" it; "commit" for right before the commit of that number) and signal. Each line of stdout:
status (the exit code, or minus the signal), statements and commits (how many were begun), stdout and stderr.
"""

import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from typing import Any

from flask.cli import cli
from sqlalchemy import event
from sqlalchemy.engine import Engine

SECONDS = 90  # that a command may take; less than pytest-timeout allows
OF_OTHERS = (
    *("sqlalchemy.orm", "sqlalchemy.dialects.postgresql.psycopg2", "alembic.command", "flask_migrate"),
    *("flask_sqlalchemy", "flask_login", "flask_wtf", "wtforms", "flask_babel", "babel.dates", "email_validator"),
    *(
        "procrastinate.contrib.sqlalchemy",
        "psycopg_pool",
        "argon2",
        "PIL.Image",
        "urllib3",
        "regex",
        "selectolax.lexbor",
    ),
    *("whitenoise", "werkzeug.serving", "werkzeug.debug"),
)


def main() -> None:
    sys.path[0] = os.getcwd()
    for module in (*OF_OTHERS, *sys.argv[1:]):
        importlib.import_module(module)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()


def run(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as counted:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            be(request, counted.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for file in (out, err, counted):
            file.seek(0)
        begun = counted.read()
        return {
            "status": status,
            "statements": begun.count(b"."),
            "commits": begun.count(b"c"),
            "stdout": out.read().decode(),
            "stderr": err.read().decode(),
        }


def be(request: dict[str, Any], counted: int) -> None:
    """Run one command in the child, to its end or to its death."""
    signal.alarm(SECONDS)
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    os.environ.clear()
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
        cli.main(request["arguments"], prog_name="flask")
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
