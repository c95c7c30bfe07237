"""A small application under the worker of http_server/. It is its own gunicorn configuration: -c python:MODULE."""

from flask import Flask

from app.web.logs import logging_config

worker_class = "http_server.worker.BufferingWorker"
logger_class = "http_server.access_log.AccessLog"
logconfig_dict = logging_config("INFO")
accesslog = "-"
threads = 3
control_socket_disable = True


app = Flask(__name__)
app.extensions["body_limit"] = lambda head: 0


@app.get("/")
def index() -> str:
    return "ok"
