"""What every request shares, whatever feature answers it."""

from flask import Flask

from app.web import access, errors, headers, ids, limits, locale, logs, proxy, static


def init_app(app: Flask) -> None:
    logs.init_app(app)  # first: what goes wrong from here on is logged as everything else
    ids.init_app(app)
    proxy.init_app(app)
    locale.init_app(app)
    static.init_app(app)
    headers.init_app(app)
    limits.init_app(app)
    errors.init_app(app)
    access.init_app(app)
