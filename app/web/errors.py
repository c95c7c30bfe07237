"""Error pages say what happened and what to do. A client that asks for JSON gets problem+json (RFC 9457).

An error page asks the database for nothing, since that may be what failed: who reads it is settled before it is made.
One question goes to a database that has just answered: whether it is a standby.
"""

import errno
import logging
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, current_app, g, render_template, request, session
from flask_babel import lazy_gettext as _
from flask_wtf.csrf import CSRFError
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound, ServiceUnavailable
from werkzeug.wrappers import Response

from app import error_reports
from app.database.errors import is_refused_by_standby, is_transient, sqlstate, takes_no_changes
from app.rejection import Busy, RowNotFound
from app.storage import StorageUnavailable
from app.web import form_recovery
from app.web.headers import TOKEN
from app.web.logs import begin_span

log = logging.getLogger(__name__)

RETRY_AFTER = 5  # seconds
PLACE = "REQUEST-ID"  # where the page of the last resort has the request id
# The errors of a system without room for a temporary file, such as that of an upload: open(2), write(2).
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS}

# status: (what happened, what to do)
SENTENCES = {
    400: (_("We couldn't read that request"), _("Go back, reload the page and try again.")),
    404: (_("Page not found"), _("It may have been deleted, or the address may have a typo.")),
    405: (_("You can't do that here"), _("Go back and use the buttons on the page.")),
    409: (_("This has changed in the meantime"), _("Reload the page to see the new version.")),
    413: (_("That's too large"), _("Send less at once. A photo can be up to 5 MB.")),
    415: (_("That format isn't supported"), _("Go back and use the form on the page.")),
    422: (_("Something in the form isn't right"), _("Go back and check what you typed.")),
    429: (_("Too many requests"), _("Wait a moment and try again.")),
    500: (_("Something went wrong on our side"), _("We've logged it. Try again in a moment.")),
    503: (_("We're unavailable right now"), _("Try again in a few seconds. Nothing was changed.")),
}
# For programs, which have no page to reload and no button to use.
API_SENTENCES = {
    400: (_("We couldn't read that request"), _("Check it against the API's document, /api/v1/openapi.json.")),
    404: (_("Not found"), _("Check the path against the API's document, /api/v1/openapi.json.")),
    405: (_("That method isn't supported here"), _("The header Allow names those that are.")),
    413: (_("That's too large"), _("A photo can be up to 5 MB, a batch of notes 3 MB, other bodies 64 kB.")),
    415: (_("That format isn't supported"), _("Check the Content-Type against the API's document.")),
}
API = "/api/"
READ_ONLY_SENTENCE = (
    _("Nothing can be saved right now"),
    _("You can still read. Try again in a few minutes. Nothing was changed."),
)
CSRF_SENTENCE = (_("This page was open for too long"), _("Go back, reload the page and try again."))


def as_json(data: object) -> bytes:
    """Write JSON in UTF-8, with times in RFC 3339 and their zone. The standard library takes four times as long."""
    return to_json(data, fallback=str)  # a sentence may be one that is translated when it is read


class Problem(Exception):
    """An answer that says what is wrong, in the caller's language. `more`: further members, such as `errors`."""

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(status, title)
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
        self.status, self.headers = status, headers

    def answer(self) -> Response:
        return Response(as_json(self.body), self.status, self.headers, content_type="application/problem+json")


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(Problem, Problem.answer)
    app.register_error_handler(CSRFError, show_csrf_error)
    app.register_error_handler(DBAPIError, show_database_error)
    app.register_error_handler(RowNotFound, lambda _: show_error(NotFound()))
    app.register_error_handler(Busy, lambda _: show_error(ServiceUnavailable(retry_after=RETRY_AFTER)))
    app.register_error_handler(OSError, show_system_error)
    for unavailable in (PendingRollbackError, PoolTimeout, StorageUnavailable):
        app.register_error_handler(unavailable, show_unavailable)


def show_error(error: HTTPException) -> Response:
    sentences = SENTENCES | API_SENTENCES if request.path.startswith(API) else SENTENCES
    fallback = sentences[500 if (error.code or 500) >= 500 else 400]
    return error_response(error, *sentences.get(error.code or 500, fallback))


def show_csrf_error(error: CSRFError) -> Response:
    """Offer what was typed or asked for: the token is of an ended session, as after signing in in another window."""
    return recover(error, *CSRF_SENTENCE, or_act=not wants_json())


def show_database_error(error: DBAPIError) -> Response:
    """Answer 503 when the database cannot do this now. Anything else is a mistake of ours and goes on to be a 500."""
    try:
        is_read_only = takes_no_changes(error) or is_refused_by_standby(error)
    except (DBAPIError, PoolTimeout) as lost:  # it has gone away since it refused
        return show_unavailable(lost)
    if is_read_only:
        return show_unavailable(error, READ_ONLY_SENTENCE)
    if is_transient(error):
        return show_unavailable(error)
    raise error


def show_system_error(error: OSError) -> Response:
    """Answer 503 when there is no room for a temporary file. Anything else goes on to be a 500."""
    if error.errno in NO_ROOM or is_about_temporary_folder(error):
        return show_unavailable(error)
    raise error


def is_about_temporary_folder(error: OSError) -> bool:
    """Return whether the folder of temporary files, which Python looks for once, is gone or closed to us."""
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:  # there is none
        return True
    return str(error.filename or "").startswith(folder)


def show_unavailable(error: Exception, sentences: tuple[object, object] = SENTENCES[503]) -> Response:
    current_app.logger.error("unavailable: %s sqlstate=%s: %s", type(error).__name__, sqlstate(error), error)
    return error_response(ServiceUnavailable(retry_after=RETRY_AFTER), *sentences)


def error_response(error: HTTPException, title: object, advice: object) -> Response:
    settle_reader()
    response = error.get_response()  # has the status's own headers, such as Allow and Retry-After
    if wants_json():
        response.data = as_json(Problem(response.status_code, str(title), str(advice)).body)
        response.content_type = "application/problem+json"
        return response
    is_ours = isinstance(error, InternalServerError)
    response.data = render_template(
        "errors/error.html",
        title=title,
        advice=advice,
        # Where nobody looked for the account, the session in the signed cookie says enough.
        in_notebook=g.account is not None if "account" in g else TOKEN in session,
        request_id=g.request_id if is_ours else None,
    )
    response.content_type = "text/html; charset=utf-8"
    return response


def recover(
    error: HTTPException, title: object, advice: object, reason: str | None = None, *, or_act: bool = False
) -> Response:
    """Offer typed text again, for a `reason` or since the session was lost; without any, answer with an error page."""
    settle_reader()
    if form := form_recovery.posted_form(or_act=or_act):
        return Response(form_recovery.offer(form, reason), error.code, error.get_headers(), mimetype="text/html")
    return error_response(error, title, advice)


def settle_reader() -> None:
    """Let the reader be who was found so far, else a stranger: asking for `current_user` reads no session any more."""
    g.reader_is_settled = True  # for app/accounts/browser_session.py


def wants_json() -> bool:
    if request.path.startswith(API):
        return True
    accepted = request.headers.get("Accept", "").lower()
    if "json" not in accepted and "application/*" not in accepted:
        return False  # a browser; reading the whole header would be a tenth of an error page
    offered = ["text/html", "application/json", "application/problem+json"]
    return request.accept_mimetypes.best_match(offered, default="text/html") != "text/html"


class LastResort:
    """WSGI middleware, the outermost: a static page when the application fails, also in its error handler or teardown.

    It is built when the process starts, so answering needs no template, no reader and no database. It has both
    languages, since whose page it is cannot be known. Without it gunicorn would answer with a page of its own.
    """

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
                answer = Problem(500, "Something went wrong on our side", f"Request id: {request_id}", headers).answer()
            else:
                answer = Response(self._page.replace(PLACE, request_id), 500, headers, mimetype="text/html")
            body = answer(wsgi, begin)
        start_response(*begun)
        return body
