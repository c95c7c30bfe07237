"""What the log of development leaves out, so that a developer sees the lines that matter."""

import logging
import re

# Style sheets and pictures of each page, and the question whether the web answers.
UNINTERESTING = re.compile(r"(GET|HEAD) /(static/|healthz|readyz)")
SUCCESS = {"200", "304"}
NOISE = (
    " * Debugger is active",
    " * Debugger PIN",  # werkzeug says it again when a page asks for it
    "Context impl",
    "Will assume",
)


def hush() -> None:
    """Filter the lines of werkzeug and Alembic. May be called more than once."""
    for name in ("werkzeug", "alembic.runtime.migration"):
        logging.getLogger(name).addFilter(is_worth_a_line)


def is_worth_a_line(record: logging.LogRecord) -> bool:
    if str(record.msg).startswith(NOISE):
        return False
    match record.args:
        case (request, status, _):  # werkzeug's line of a request: '"%s" %s %s'
            return not (UNINTERESTING.search(str(request)) and str(status) in SUCCESS)
    return True
