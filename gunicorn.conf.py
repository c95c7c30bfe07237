"""gunicorn behind a platform's router. The same file serves a laptop: every value has a default."""

import os
from pathlib import Path

from flask import Flask
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from app.extensions import db
from app.web.logs import logging_config
from environment import whole_number

port = os.environ.get("PORT", "8000")
bind = f"0.0.0.0:{port}"
workers = whole_number(os.environ, "WEB_CONCURRENCY", 2)
threads = whole_number(os.environ, "WEB_THREADS", 5)  # config.py gives the connection pool the same size
# Threads, since the router keeps connections open: an idle one, a slow upload or a slow bucket must not hold a worker.
worker_class = "gthread"
preload_app = True  # the workers share the memory of what is imported

# Seconds. The router gives a request 30 until the first byte and keeps idle connections for 90, so ours live longer;
# a dyno that is told to stop has 30.
timeout = 30
keepalive = 95
graceful_timeout = 20

# Where a platform's router is the only one that can reach us, believe what it says of the client.
forwarded_allow_ips = "*" if "DYNO" in os.environ else "127.0.0.1,::1"
forwarder_headers = ""  # by default a client may send SCRIPT_NAME and move the application to another path
control_socket_disable = True  # it is a file in the home folder that a second gunicorn would take away
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

# One line a request, and this is it: the path without its query, which may hold what a person searched for.
accesslog = "-"
access_log_format = (
    'at=request method=%(m)s path="%(U)s" status=%(s)s bytes=%(B)s ms=%(M)s request_id=%({x-request-id}o)s'
)
logconfig_dict = logging_config(os.environ.get("LOG_LEVEL", "INFO").upper())


def post_fork(server: Arbiter, worker: Worker) -> None:
    """A connection that was opened before the fork belongs to the parent; forget it, without closing it under it."""
    app = server.app.wsgi()
    assert isinstance(app, Flask)  # noqa: S101 - the Procfile names the factory
    with app.app_context():
        db.engine.dispose(close=False)
