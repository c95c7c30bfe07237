"""Answers to a form: a redirect for the browser that sent it itself, and the same as JSON for a script that did."""

from typing import Any

from flask import current_app, jsonify, redirect
from flask_wtf import FlaskForm
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response

from app.web.errors import SENTENCES, error_response, wants_json

Answer = str | Response | tuple[str | Response, int] | tuple[str, int, dict[str, str]]  # of a view

DRAFT_COOKIE = "accepted"  # not HttpOnly: js/draft.js reads and removes it; it holds the form's name, nothing secret
DRAFT_SECONDS = 600  # the next page with a draft reads the cookie


def go_to(location: str, **data: Any) -> Response:
    """Redirect a browser. A script gets `location` and `data` as JSON."""
    return jsonify(location=location, **data) if wants_json() else redirect(location)


def refusal(form: FlaskForm) -> Response:
    """Return the first error of a form as problem+json, for a script."""
    first = next(error for errors in form.errors.values() for error in errors)
    return error_response(UnprocessableEntity(), SENTENCES[422][0], first)


def accepted(response: Response, draft: str) -> Response:
    """Let the browser drop the draft of a form that was stored, by a cookie for js/draft.js.

    Another page as the answer proves nothing: it may be the sign-in page of a lost session, when the draft is the only
    copy of the text. `draft` is the form's `data-draft`.
    """
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(DRAFT_COOKIE, draft, max_age=DRAFT_SECONDS, secure=secure, httponly=False, samesite="Lax")
    return response
