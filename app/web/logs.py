"""Logs: one event a line on stdout, in logfmt, with the request id."""

import logging
import logging.config
import random
import re
from typing import Any

from flask import Flask, g, has_request_context, request

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{20,200}")
LONGEST_LINE = 9000  # characters; platforms split a line at 10,000 bytes and the rest loses its request id
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # the development server colours its lines
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Secrets in paths: the token of a link in a mail, which whoever reads the log could use first; the token of a shared
# note; the id of a word count, which may be shared. The shortest has 22 characters.
LINK = re.compile(r"(/(?:sign-up|new-password|confirm-email|new-email|s|wordcounts)/)[\w-]{22,}")
# PostgreSQL quotes the row in DETAIL ("Key (email)=(…) already exists."). A log must not hold it.
DETAIL = re.compile(r"DETAIL:.*?(?=\n|$)")


class LogfmtFormatter(logging.Formatter):
    """`level=info logger=app request_id=… msg="…"`. Control characters are escaped (log injection)."""

    def format(self, record: logging.LogRecord) -> str:
        message = DETAIL.sub("DETAIL: (not logged)", super().format(record))
        message = CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), COLOUR.sub("", message))
        if record.name != "app.mail":  # which prints a link in development, and nowhere else
            message = LINK.sub(r"\1(not logged)", message)
        if record.name == "gunicorn.access":
            return message[:LONGEST_LINE]  # is key=value already, see gunicorn.conf.py
        message = message.replace('"', "'")[:LONGEST_LINE]
        request_id = getattr(record, "request_id", None) or (g.get("request_id") if has_request_context() else None)
        return f'level={record.levelname.lower()} logger={record.name} request_id={request_id or "-"} msg="{message}"'


def logging_config(level: str) -> dict[str, Any]:
    """For logging.config.dictConfig(). gunicorn takes it too, so that its lines have the same form."""
    to_stdout = {"handlers": ["stdout"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"logfmt": {"()": f"{__name__}.LogfmtFormatter"}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "logfmt"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "gunicorn.error": to_stdout,
            "gunicorn.access": {**to_stdout, "level": "INFO"},
            "werkzeug": {**to_stdout, "level": "INFO"},
            "botocore": {"level": "WARNING"},
            "procrastinate": {"level": "WARNING"},  # writes three lines a job; app/worker.py writes one
            "alembic.runtime.plugins": {"level": "WARNING"},  # names each of its parts at every start
        },
    }


def init_app(app: Flask) -> None:
    if not app.config["TESTING"]:  # pytest captures the log itself
        logging.config.dictConfig(logging_config(app.config["LOG_LEVEL"]))
    app.before_request(take_request_id)


def settle_request_id(wsgi: dict[str, Any]) -> str:
    """The router's request id if it looks like one, so that both logs can be joined by it; else a new one.

    It is put into the request, so that everybody who reads it there finds the same.
    """
    given = wsgi.get("HTTP_X_REQUEST_ID", "")
    # No secret, so it needs no system call.
    settled: str = given if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
    wsgi["HTTP_X_REQUEST_ID"] = settled
    return settled


def take_request_id() -> None:
    g.request_id = settle_request_id(request.environ)
