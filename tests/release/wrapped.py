"""`flask …` with an ear on its SQL: python wrapped.py SPEC db upgrade.

SPEC is JSON: {"log": path} writes each statement to a file, a line each; {"at": n or words, "when": "before" or
"after", "signal": number} makes the process signal itself right before or after the statement. The n-th point counts
statements and commits, or is the first thereafter that can be signalled so; words stand in a statement.

With {"serve": true} alone it imports the application once and then, for each JSON line on its input
({"spec": …, "arguments": […], "log": path}), runs the command in a fork and answers with its exit code.
"""

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy
from flask.cli import main
from sqlalchemy import event


def listen(spec: dict[str, Any]) -> None:
    """Install the listeners. Statements of the thread that watches for blockers do not count."""
    points = 0

    def point(when: str, sql: str) -> None:
        nonlocal points
        if threading.current_thread() is not threading.main_thread():
            return
        if when == "before":
            points += 1
            if "log" in spec:
                with open(spec["log"], "a") as log:
                    log.write(" ".join(sql.split()) + "\n")
        at = spec.get("at", "no statement at all")
        if when == spec.get("when") and (points >= at if isinstance(at, int) else at in sql):
            os.kill(os.getpid(), spec["signal"])

    on = sqlalchemy.Engine
    event.listen(on, "before_cursor_execute", lambda c, cursor, sql, *rest: point("before", sql))
    event.listen(on, "after_cursor_execute", lambda c, cursor, sql, *rest: point("after", sql))
    event.listen(on, "commit", lambda connection: point("before", "COMMIT"))


def run(spec: dict[str, Any], arguments: list[str]) -> None:
    listen(spec)
    sys.argv = ["flask", *arguments]
    main()


def in_a_fork(job: dict[str, Any]) -> int:
    """The exit code; negative for a signal."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        run(job["spec"], job["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve(do: Callable[[dict[str, Any]], int]) -> None:
    for module in ("flask_migrate.cli", "psycopg2", "app.release.operations", "app.release.runner"):
        importlib.import_module(module)  # here, so that no fork has to

    for line in sys.stdin:
        print(do(json.loads(line)), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())  # as `python -m flask` does
    spec = json.loads(sys.argv[1])
    if spec.get("serve"):
        serve(in_a_fork)
    else:
        run(spec, sys.argv[2:])
