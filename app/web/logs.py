"""Logs: one event a line on stdout, in logfmt, with the request id. docs/logs.md names every field."""

import io
import logging
import logging.config
import os
import random
import re
import select
import sys
from collections.abc import Mapping
from typing import Any

from flask import Flask, g, request

from app import tracing
from app.redaction import cause, redact

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{20,200}")
STDOUT, STDERR = 1, 2
PATIENCE = 1000  # milliseconds
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # the development server colours its lines

Value = str | int | float | None

# Heroku's Logplex splits a line at 10,000 bytes, and the rest has neither its beginning nor its request id. What is too
# long is cut in the middle, since a traceback ends with what happened.
LONGEST_LINE = 9000  # bytes, not characters: a Korean letter has three
CUT = " … "
ABSENT = "-"

WORD = re.compile(r"[A-Za-z0-9._:-]+")
# Quotes, control characters, what changes the direction of writing, and halves of a character, which no stream takes.
ESCAPED = re.compile('[\x00-\x1f"\\\\\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


class LogfmtFormatter(logging.Formatter):
    """`level=info logger=app request_id=… msg="…"`; with `extra={"fields": {…}}` these pairs too.

    Line breaks are escaped (log injection), secrets are left out. An exception has a field before its traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Value] = getattr(record, "fields", {})
        if fields and record.name == "gunicorn.access":
            path = fields.get("path")
            return line({**fields, "path": path and redact(str(path))})
        prints_links = record.name == "app.mail.message"  # in development, and nowhere else
        return line(
            {
                name: redact(value, keep_links=prints_links) if isinstance(value, str) else value
                for name, value in self._fields(record, fields).items()
            }
        )

    def _fields(self, record: logging.LogRecord, given: dict[str, Value]) -> dict[str, Value]:
        span = tracing.current()
        request_id: str | None = getattr(record, "request_id", None) or (span.request_id if span else None)
        fields: dict[str, Value] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": request_id,
            **given,
        }
        if record.exc_info and record.exc_info[1]:
            fields["error"] = cause(record.exc_info[1])
        message = COLOUR.sub("", super().format(record)).strip()
        return {**fields, "msg": message} if message or not given else fields


class StdoutHandler(logging.Handler):
    """Write each line to stdout: as UTF-8 whatever the locale, and without an error where nobody takes it.

    sys.stdout has the encoding of the locale, and keeps what a full disk or a broken pipe has refused: then each later
    line fails too, and at its end the process (exit status 120).
    """

    def __init__(self, descriptor: int = STDOUT) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._is_torn = False  # only the beginning of the last line was taken
        self._patience = PATIENCE
        _settle_descriptors()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            written = self.format(record)
        except Exception:  # as of every handler: what the line was made of does not fit together
            self.handleError(record)
        else:
            self._write(f"{written}\n".encode("utf-8", "backslashreplace"))

    def _write(self, line: bytes) -> None:
        """Lose the line where there is no reader, no room, or none at once (EPIPE, ENOSPC, EAGAIN)."""
        left = b"\n" + line if self._is_torn else line
        try:
            while left and self._has_room():
                left = left[os.write(self._descriptor, left[: select.PIPE_BUF]) :]
                self._is_torn = bool(left)
        except OSError:
            return

    def _has_room(self) -> bool:
        """Wait for a slow reader, and only once for one that has stopped: its full pipe would hold us for ever."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        has_room = bool(poll.poll(self._patience))
        self._patience = PATIENCE if has_room else 0
        return has_room


def _settle_descriptors() -> None:
    """Let stdin, stdout and stderr lead nowhere where they were closed: else the next connection has that number."""
    descriptor = 0
    while descriptor <= STDERR:
        descriptor = os.open(os.devnull, os.O_RDWR)
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def logging_config(level: str) -> dict[str, Any]:
    """Return what logging.config.dictConfig() takes. gunicorn takes it too, so that its lines have the same form."""
    to_stdout = {"handlers": ["stdout"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"logfmt": {"()": f"{__name__}.LogfmtFormatter"}},
        "handlers": {"stdout": {"()": f"{__name__}.StdoutHandler", "formatter": "logfmt"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "gunicorn.error": to_stdout,
            "gunicorn.access": {**to_stdout, "level": "INFO"},
            "werkzeug": {**to_stdout, "level": "INFO"},
            "botocore": {"level": "WARNING"},
            "alembic.runtime.plugins": {"level": "WARNING"},  # writes seven lines as it is imported
            "procrastinate": {"level": "WARNING"},  # writes three lines a job; app/jobs/worker.py writes one
        },
    }


def configure(level: str) -> None:
    """Set up logging, and let commands print every letter, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None when it was closed
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    logging.config.dictConfig(logging_config(level))
    logging.captureWarnings(True)


def init_app(app: Flask) -> None:
    if not app.config["TESTING"]:  # pytest captures the log itself
        configure(app.config["LOG_LEVEL"])
    app.before_request(name_span)
    app.teardown_request(lambda _error: tracing.end())


def begin_span(wsgi: dict[str, Any]) -> tracing.Span:
    """Return the span of the request: the one that has begun, else a new one.

    Its id is the router's if that looks like one, so that both logs can be joined.
    """
    span: tracing.Span | None = wsgi.get(tracing.IN_WSGI)
    if span is None:
        given = wsgi.get("HTTP_X_REQUEST_ID", "")
        # No secret, so it needs no system call.
        request_id = given if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        wsgi["HTTP_X_REQUEST_ID"] = request_id
        span = wsgi[tracing.IN_WSGI] = tracing.Span(tracing.WEB, request_id)
    tracing.begin(span)
    return span


def name_span() -> None:
    span = begin_span(request.environ)
    span.name = request.url_rule.rule if request.url_rule else None
    g.request_id = span.request_id


def line(fields: Mapping[str, Value]) -> str:
    """Write a line of logfmt: name=value pairs. A value of more than a word stands in quotes, as a string of JSON."""
    pairs = {name: f"{name}={_written(value)}" for name, value in fields.items()}
    written = " ".join(pairs.values())
    while (excess := len(written.encode()) - LONGEST_LINE) > 0:
        longest = max(pairs, key=lambda name: len(pairs[name].encode()))
        room = len(pairs[longest].encode()) - len(f'{longest}=""') - excess
        pairs[longest] = f'{longest}="{_cut(str(fields[longest]), room)}"'
        written = " ".join(pairs.values())
    return written


def _written(value: Value) -> str:
    if isinstance(value, str):
        return value if WORD.fullmatch(value) else f'"{_escape(value)}"'
    if value is None:
        return ABSENT
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    return ESCAPED.sub(lambda found: SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def _cut(text: str, room: int) -> str:
    """Return a quarter of the room from the beginning of the text and the rest from its end, escaped."""
    kept = room  # letters
    while kept > 0:
        head = kept // 4
        written = _escape(f"{text[:head]}{CUT}{text[head - kept :]}")
        excess = len(written.encode()) - room
        if excess <= 0:
            return written
        kept = min(kept - 1, kept * room // (room + excess))
    return ""
