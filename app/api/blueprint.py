"""Let programs use /api/v1: bearer tokens (RFC 6750), scopes, rate limits. Closed by default, as pages are.

A cookie opens nothing here, so no other site can send a request in a reader's name (CSRF), and a token opens no page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Flask, current_app, g, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import tracing
from app.accounts import access_tokens
from app.accounts.access_tokens import TokenHolder, bearer_token, is_signed
from app.accounts.service import AccountGone
from app.extensions import csrf
from app.limits import rate_limits
from app.limits.quotas import DeletedSince
from app.limits.rate_limits import Limit, ProcessBuckets, RateLimited, Standing
from app.rejection import RowNotFound
from app.web import throttling
from app.web.errors import Problem

bp = Blueprint("api", __name__, url_prefix="/api/v1")
bp.record_once(lambda state: state.app.extensions.update(reads=ProcessBuckets()))
csrf.exempt(bp)


def caller() -> TokenHolder:
    """Return the account whose program asks."""
    found: TokenHolder = g.account
    return found


@bp.before_request
def let_in() -> None:
    """Let in who has a token with the scope of the operation. Raises: Problem 401 and 403, RateLimited."""
    scope = getattr(current_app.view_functions[request.endpoint or ""], "scope", None)
    if scope is None:
        return  # the document, and the page to read it
    holder = access_tokens.find_holder(token_of_request())
    if holder is None:
        raise unauthorized()
    g.account = holder
    tracing.note_account(holder.id)
    if not access_tokens.allow(holder.scopes, scope):
        sentence = _("This token lacks the scope %(scope)s. Create one that has it on My page.", scope=scope)
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        raise Problem(403, _("Not allowed"), sentence, {"WWW-Authenticate": challenge})
    limit = limit_of_request()
    take = current_app.extensions["reads"].take if limit is rate_limits.API_READS else rate_limits.take
    g.standing = take(limit, holder.id)


def token_of_request() -> str:
    return bearer_token(request.headers.get("Authorization", ""))


def has_signed_token(app: Flask, head: dict[str, Any]) -> bool:
    """Return whether a request that is arriving has a token of ours, so that its body may be long."""
    keys = [app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"]]
    return is_signed(bearer_token(head.get("HTTP_AUTHORIZATION", "")), keys)


@bp.errorhandler(AccountGone)
def account_gone(error: AccountGone) -> Response:
    return unauthorized().answer()


def unauthorized() -> Problem:
    sentence = _("Send a valid access token: Authorization: Bearer sc_… You create one on My page.")
    challenge = 'Bearer realm="Semicircle"' + (', error="invalid_token"' if token_of_request() else "")
    return Problem(401, _("Who are you?"), sentence, {"WWW-Authenticate": challenge})


@bp.errorhandler(RateLimited)
def rate_limited(error: RateLimited) -> Response:
    if "standing" not in g:
        g.standing = Standing(limit_of_request(), 0, error.seconds)
    return too_many_requests(error, throttling.wait_sentence(error))


def too_many_requests(error: RateLimited, sentence: str) -> Response:
    return Problem(429, _("Too many requests"), sentence, throttling.retry_after(error)).answer()


def limit_of_request() -> Limit:
    return rate_limits.API_READS if request.method in ("GET", "HEAD") else rate_limits.WRITES


@bp.after_request
def tell_standing(response: Response) -> Response:
    if standing := g.get("standing"):
        response.headers.extend(throttling.fields(standing))
    return response


@bp.errorhandler(DeletedSince)
def deleted_since(error: DeletedSince) -> Response:
    sentence = _("What this request created is deleted for good. To create it again, send a new Idempotency-Key.")
    return Problem(410, _("This was deleted"), sentence).answer()


@contextmanager
def created() -> Iterator[None]:
    """Read what was created. Raises: DeletedSince: another request was faster, and deleted it for good."""
    try:
        yield
    except RowNotFound as error:
        raise DeletedSince from error


@bp.errorhandler(RowNotFound)
def nothing_there(error: RowNotFound) -> Response:
    sentence = _("You have nothing with this id. It may have been deleted.")
    return Problem(404, _("Not found"), sentence).answer()
