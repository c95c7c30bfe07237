"""Limits of the request body: small for text, larger where a view takes an upload.

Werkzeug's own form limits do not bound urlencoded fields, so the whole body is bounded. It is refused by its
Content-Length, which `http_server.request_buffer` gives to a chunked body too.
"""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, abort, current_app, request

View = TypeVar("View", bound=Callable[..., object])

# Bytes. The longest form is a note: 2,000 code points of 4 bytes, each percent-encoded to 3 characters, is 24,000.
TEXT_BODY_LIMIT = 64 * 1024


def accepts_upload(view: View) -> View:
    """Mark a view that takes a file. Its body may have `MAX_CONTENT_LENGTH` bytes."""
    view.accepts_upload = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    app.before_request(limit_body)
    app.before_request(refuse_files)


def takes_upload() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "accepts_upload", False)


def limit_body() -> None:
    if not takes_upload():
        request.max_content_length = TEXT_BODY_LIMIT


def refuse_files() -> None:
    """A text field would be handed the file and fail on it."""
    if request.mimetype == "multipart/form-data" and not takes_upload() and request.files:
        abort(422)
