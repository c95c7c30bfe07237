"""gunicorn behind a platform's router. Every setting that the environment gives is read and checked by config.py."""

import gc
import os
import resource

from flask import Flask
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from app.database import patience
from app.extensions import db
from app.web.locale import LANGUAGES
from app.web.logs import logging_config
from config import checked
from http_server.worker import heartbeat_folder

MOST_DESCRIPTORS = 8192

settings = checked(os.environ)


def file_descriptors() -> int:
    """Ask for as many as the system allows us, up to MOST_DESCRIPTORS, and return how many a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(MOST_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return max(soft, wanted)


wsgi_app = "app:create_app(migrates=False)"
bind = f"{settings.WEB_HOST}:{settings.PORT or 8000}"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS  # the connection pool has the same size
# Slow clients hold no thread; docs/architecture.md has the figures behind the choice.
worker_class = "http_server.worker.BufferingWorker"
# A process. The connection that waits longest makes room for the next. A third of the file descriptors: a connection
# may have a file for its request and one for its response.
worker_connections = min(2000, file_descriptors() // 3)
sendfile = False  # it would bypass the response buffer
preload_app = True  # the processes share the memory of what is imported

# Seconds. Heroku's router waits 30 for the first byte and keeps idle connections for 90, so ours live longer. A dyno
# that is told to stop has 30.
timeout = 30
keepalive = 95
graceful_timeout = 20

# app/web/proxy.py reads the headers of the proxy in front, and nothing else that a client may send. By default gunicorn
# refuses X-Forwarded-Ssl beside another X-Forwarded-Proto, and takes SCRIPT_NAME, which moves the application.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
control_socket_disable = True  # it is a file in the home folder, which a second gunicorn would delete
worker_tmp_dir = heartbeat_folder()

accesslog = "-"  # one line a request
logger_class = "http_server.access_log.AccessLog"
logconfig_dict = logging_config(settings.LOG_LEVEL)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Forget the connections that the parent opened before the fork, without closing them: they are the parent's.

    The timeout of the database is for what serves, web and worker: a release waits longer, and it locks.
    """
    patience.fail_fast()
    with application(server).app_context():
        db.engine.dispose(close=False)


def when_ready(server: Arbiter) -> None:
    """Before the fork, serve a page that asks no database: what it leaves behind is shared, and no reader waits for it.

    The boot gate asks one, though, whose connection is closed again: it would be one more of each deployment. What
    exists by now stays out of garbage collection, which would copy every shared page.
    """
    client = application(server).test_client()
    for language in LANGUAGES:
        client.get("/offline", headers={"Accept-Language": language})
    with client.application.app_context():
        db.engine.dispose()
    gc.collect()
    gc.freeze()


def application(server: Arbiter) -> Flask:
    app = server.app.wsgi()
    assert isinstance(app, Flask)  # noqa: S101 - wsgi_app names the factory
    return app
