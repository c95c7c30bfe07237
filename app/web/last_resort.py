"""The last resort: a static error page when the application itself fails, also in its error handler or its teardown.

It is built when the process starts, so answering needs no template, no reader and no database. It has both languages,
since whose page it is cannot be known. Without it gunicorn would answer with a page of its own.
"""

import logging
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.wrappers import Response

from app import error_reports
from app.web.errors import Problem
from app.web.logs import begin_span

log = logging.getLogger(__name__)

TITLE = "Something went wrong on our side"
PLACE = "REQUEST-ID"  # where the page has the request id


class LastResort:
    """WSGI middleware, the outermost: answers with the static page whatever the application raises."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._inner: WSGIApplication = app.wsgi_app
        self._page: str = app.jinja_env.get_template("errors/last_resort.html").render(request_id=PLACE)

    def __call__(self, wsgi: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = str(begin_span(wsgi).request_id)
        begun: list[Any] = []

        def begin(*status_and_headers: Any) -> Any:
            """Hold the status and headers back: when this is called, the teardown is still to come."""
            begun[:] = status_and_headers

        try:
            body = self._inner(wsgi, begin)
        except Exception as error:
            propagates = self._app.config["PROPAGATE_EXCEPTIONS"]
            if propagates or (propagates is None and (self._app.testing or self._app.debug)):  # as Flask decides
                raise
            log.exception("the error handler failed", extra={"request_id": request_id})
            error_reports.report(self._app, error)
            headers = self._app.extensions["headers"] | {"X-Request-ID": request_id}
            if "json" in wsgi.get("HTTP_ACCEPT", ""):
                answer = Problem(500, TITLE, f"Request id: {request_id}", headers).answer()
            else:
                answer = Response(self._page.replace(PLACE, request_id), 500, headers, mimetype="text/html")
            body = answer(wsgi, begin)
        start_response(*begun)
        return body


def init_app(app: Flask) -> None:
    app.wsgi_app = LastResort(app)  # type: ignore[assignment, method-assign]
