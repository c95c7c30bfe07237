"""How much a request may bring. Werkzeug's form limits do not bound urlencoded fields, so the body is bounded."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, abort, current_app, request

View = TypeVar("View", bound=Callable[..., object])

# Bytes. The longest form is a note: 2,000 code points of 4 bytes, each percent-encoded to 3 characters, is 24,000.
TEXT_BODY_LIMIT = 64 * 1024


def accepts_upload(view: View) -> View:
    """Mark a view that takes a file: its body may be as large as `MAX_CONTENT_LENGTH`."""
    view.accepts_upload = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    app.before_request(limit_body)


def limit_body() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "accepts_upload", False):
        return
    request.max_content_length = TEXT_BODY_LIMIT
    if request.files:  # a field of text would be given the file, with which it can do nothing
        abort(422)
