"""A small application under the worker of http_server/. It is its own gunicorn configuration: -c python:MODULE."""

import os
import signal
from collections.abc import Iterator

from flask import Flask, Response, request
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from app.web.logs import logging_config

wsgi_app = "tests.http_server.site:app"
worker_class = "http_server.worker.BufferingWorker"
logger_class = "http_server.access_log.AccessLog"
logconfig_dict = logging_config("INFO")
accesslog = "-"
threads = 3
control_socket_disable = True

MIB = 1024 * 1024
LARGE = 64 * MIB  # bytes; more than the kernel takes from the server on behalf of a client that does not read


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Tell the first workers to stop before they have their handlers, if a test asks for that. gunicorn calls it."""
    signals = os.environ.get("SIGNALS_AT_BIRTH", "").split()
    if worker.age <= len(signals):
        os.kill(os.getpid(), signal.Signals[signals[worker.age - 1]])


app = Flask(__name__)
app.extensions["body_limit"] = lambda head: LARGE


@app.get("/")
def index() -> str:
    return "ok"


@app.post("/")
def take() -> str:
    return str(len(request.get_data()))


@app.get("/large")
def large() -> Response:
    return Response(bytes(MIB) for _ in range(LARGE // MIB))


@app.get("/short")
def short() -> Response:
    """Answer half of its length, as of a file that has shrunk."""
    return Response([b"12345"], headers={"Content-Length": "10"})


@app.get("/broken")
def broken() -> Response:
    def parts() -> Iterator[bytes]:
        yield b"the beginning"
        raise RuntimeError("a bug")

    return Response(parts())
