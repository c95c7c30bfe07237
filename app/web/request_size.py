"""Limits of the request body: small, larger where a view takes a long text or an upload of somebody who is signed in.

A body is refused by its Content-Length, which `http_server.request_buffer` gives to a chunked body too. The server asks
`body_limit` before it waits for the body, so that nobody fills the disk with what would be refused anyway. The fields
of a form are counted too. Werkzeug does so of a multipart form alone, so no upload may be an urlencoded one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, abort, current_app, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from app.web.errors import Problem
from app.web.headers import TOKEN
from app.web.marks import View, mark_of, marking

MayUpload = Callable[[Flask, dict[str, Any]], bool]

# Bytes. A note of 20,000 code points of 4 bytes, each percent-encoded to 3 characters, is 240,000. One of twice that is
# shown again with a sentence that it is too long. Werkzeug takes 500,000 of a form.
TEXT_BODY_LIMIT = 64 * 1024
LONG_TEXT_LIMIT = 480 * 1024
CODINGS = {"gzip", "x-gzip", "deflate", "compress", "br", "zstd"}  # of a body whose length says nothing
MOST_FIELDS = 500  # the longest form chooses among 200 notes
MOST_FIELDS_OF_UPLOAD = 20  # Werkzeug takes 500 kB of each
# Bytes of an upload that may have more fields: together they take no more memory than those.
FOLDER_LIMIT = MOST_FIELDS_OF_UPLOAD * 500_000


def accepts_upload(
    most: int, by: MayUpload | None = None, most_files: int = MOST_FIELDS_OF_UPLOAD
) -> Callable[[View], View]:
    """Mark a view that takes so many bytes where `by` tells so from the head; without it, where there is a session.

    `most_files` are the fields of a body up to FOLDER_LIMIT.
    """
    return marking(upload_limit=most, may_upload=by or _has_session, takes_files=True, most_files=most_files)


def accepts_long_text(by: MayUpload | None = None) -> Callable[[View], View]:
    """Mark a view that takes LONG_TEXT_LIMIT bytes of a form or of JSON, as accepts_upload() does."""
    return marking(upload_limit=LONG_TEXT_LIMIT, may_upload=by or _has_session)


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = TEXT_BODY_LIMIT
    app.extensions["body_limit"] = partial(body_limit, app)
    app.before_request(check_body)


def body_limit(app: Flask, head: dict[str, Any]) -> int:
    """Return how many bytes the body of a request may have, by its head alone: a WSGI environment without the body.

    Whether the session of the cookie still lives, only the database knows. But nobody without an account has a cookie
    that we signed with a session in it.
    """
    adapter = app.url_map.bind("", path_info=head["PATH_INFO"], default_method=head["REQUEST_METHOD"])
    try:
        endpoint, _ = adapter.match()
    except HTTPException:  # 404, 405, or a redirect
        return TEXT_BODY_LIMIT
    marks = vars(app.view_functions[endpoint])
    return marks["upload_limit"] if "may_upload" in marks and marks["may_upload"](app, head) else TEXT_BODY_LIMIT


def _has_session(app: Flask, head: dict[str, Any]) -> bool:
    session = app.session_interface.open_session(app, app.request_class(head))
    return session is not None and TOKEN in session


def check_body() -> None:
    """Refuse a body that is too long (413) or of the wrong kind, or compressed (415, 422)."""
    if request.method in ("GET", "HEAD") and not request.content_length:
        return
    limit_body()
    codings = request.headers.get("Content-Encoding", "").lower().replace(" ", "").split(",")
    if request.content_length and not CODINGS.isdisjoint(codings):
        sentence = _("The body is compressed. Send it as it is, without Content-Encoding.")
        raise Problem(415, _("That format isn't supported"), sentence, {"Accept-Encoding": "identity"})
    if request.mimetype == "multipart/form-data" and not mark_of(request.endpoint, "takes_files") and request.files:
        abort(422)  # a text field would be handed the file, and fail on it


def limit_body() -> None:
    size = request.content_length or 0
    is_long = size > TEXT_BODY_LIMIT
    most = request.max_content_length = body_limit(current_app, request.environ) if is_long else TEXT_BODY_LIMIT
    most_files = mark_of(request.endpoint if size <= FOLDER_LIMIT else None, "most_files", MOST_FIELDS_OF_UPLOAD)
    request.max_form_parts = most_files if is_long else MOST_FIELDS
    if request.mimetype != "application/x-www-form-urlencoded":
        return
    if is_long and size <= most and mark_of(request.endpoint, "takes_files"):
        abort(415)  # an upload is no urlencoded form
    if size > most or request.get_data().count(b"&") >= MOST_FIELDS:
        abort(413)
