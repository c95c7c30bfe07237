"""What every request shares, whatever feature answers it."""

from flask import Flask

from app.release import boot_gate
from app.web import (
    access,
    address_watch,
    autocommit,
    cookies,
    errors,
    field_attributes,
    form_tokens,
    formats,
    headers,
    ids,
    last_resort,
    locale,
    logs,
    proxy,
    request_size,
    static,
    templates,
)


def init_app(app: Flask) -> None:
    logs.init_app(app)  # first, so that every later failure is logged in the same form
    ids.init_app(app)
    proxy.init_app(app)
    templates.init_app(app)
    locale.init_app(app)
    formats.init_app(app)
    field_attributes.init_app(app)
    form_tokens.init_app(app)
    cookies.init_app(app)
    static.init_app(app)
    headers.init_app(app)
    request_size.init_app(app)
    errors.init_app(app)
    boot_gate.init_app(app, exempt=proxy.HEALTH_CHECKS)  # before what first asks the database
    autocommit.begin(app)
    access.init_app(app)
    if app.config["CLIENT_ADDRESS"]:
        address_watch.init_app(app)
    last_resort.init_app(app)  # last, so that it is the outermost middleware
