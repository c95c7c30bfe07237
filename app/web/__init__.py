"""Set up what every request shares, whatever feature answers it."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

from app.web import access, errors, fields, formats, headers, locale, logs, proxy, request_size, static, templates
from online_migrations import boot_gate


class Application(Flask):
    """Flask for functions that are not async, without its look at each hook and view in each request.

    An error page takes 1.08 times as many instructions with that look (callgrind), the sign-in page 1.05 times.
    """

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class RowIdConverter(IntegerConverter):
    """`<id:note_id>`: a row id in ASCII digits, 1 to 2⁶³−1, the range of a bigint key.

    The built-in `<int:…>` takes longer numbers and other scripts' digits; PostgreSQL would fail.
    """

    regex = "[0-9]{1,19}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=2**63 - 1)


def init_app(app: Flask) -> None:
    app.url_map.converters["id"] = RowIdConverter
    app.url_map.merge_slashes = False  # else a path with two slashes redirects, to whatever host the request names
    # The logs first, so that every later failure is logged in the same form.
    for part in (logs, proxy, templates, locale, formats, fields, static, headers, request_size, errors):
        part.init_app(app)
    boot_gate.init_app(app, exempt=proxy.HEALTH_CHECKS)  # before what first asks the database
    access.init_app(app)
    app.wsgi_app = errors.LastResort(app)  # type: ignore[assignment,method-assign] # last, so that it is the outermost
