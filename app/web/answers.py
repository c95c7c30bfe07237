"""Answers to a form: a redirect, or the same as JSON for a script; and to a rate limit (429) or a quota (422).

The last two say when to try again, and show the text that was typed.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, g, jsonify, redirect
from flask_babel import gettext
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.exceptions import TooManyRequests, UnprocessableEntity
from werkzeug.wrappers import Response
from wtforms import Field

from app.limits import rate_limits
from app.limits.quotas import QuotaReached
from app.limits.rate_limits import RateLimited, Standing
from app.web.access import is_signed_in_write
from app.web.errors import SENTENCES, error_response, recover, wants_json
from app.web.formats import duration, number
from app.web.headers import keep

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
    keep(response, DRAFT_COOKIE, draft, max_age=DRAFT_SECONDS, httponly=False)
    return response


def init_app(app: Flask) -> None:
    """Call it after CSRF protection: a forged request takes no token."""
    app.before_request(limit_writes)
    app.register_error_handler(RateLimited, show_rate_limited)
    app.register_error_handler(QuotaReached, show_quota_reached)


def limit_writes() -> None:
    """Count every POST of a signed-in person, also of a new page. Raises: RateLimited."""
    if is_signed_in_write():
        rate_limits.take(rate_limits.WRITES, current_user.id)
        g.in_autocommit = False  # the session may write, with a connection that it takes now


def show_rate_limited(error: RateLimited) -> Response:
    """Answer where no view has a better page."""
    sentence = wait_sentence(error)
    return recover(TooManyRequests(retry_after=error.seconds), SENTENCES[429][0], sentence, sentence)


def show_quota_reached(error: QuotaReached) -> Response:
    """Answer where no view has a better page."""
    sentence = gettext("You've reached the limit of %(most)s. Delete some first.", most=number(error.most))
    return recover(UnprocessableEntity(), SENTENCES[422][0], sentence, sentence)


def refused(
    field: Field, error: Exception, page: Callable[[], str], sentences: Mapping[Any, str] | None = None
) -> Answer:
    """Return the page with the sentence of an error at the field; that of a rate limit says when to try again."""
    if isinstance(error, RateLimited):
        field.errors = [wait_sentence(error)]
        return page(), 429, retry_after(error)
    field.errors = [str((sentences or {})[type(error)])]
    return page(), 422


def retry_after(error: RateLimited) -> dict[str, str]:
    return {"Retry-After": f"{error.seconds}"}


def rate_limit_fields(standing: Standing) -> dict[str, str]:
    """Return the RateLimit fields (draft-ietf-httpapi-ratelimit-headers): requests left, and until when."""
    name, most, refill = standing.limit
    return {
        "RateLimit-Policy": f'"{name}";q={most};w={round(most * refill.total_seconds())}',
        "RateLimit": f'"{name}";r={standing.remaining};t={standing.reset}',
    }


def wait_sentence(error: RateLimited) -> str:
    sentence: str = gettext("Too many requests. Try again in %(time)s.", time=waiting_time(error))
    return sentence


def waiting_time(error: RateLimited) -> str:
    """Return when to try again, in full minutes above one minute."""
    return duration(error.seconds if error.seconds < 60 else math.ceil(error.seconds / 60) * 60)
