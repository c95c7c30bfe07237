"""The JSON API, /api/v1, a second door to the services: who gets in, and the OpenAPI document with the page to read it.

Programs have bearer tokens (RFC 6750), scopes and rate limits. Closed by default, as pages are: a cookie opens nothing
here, so no other site can send a request in a reader's name (CSRF), and a token opens no page. The operations stand in
the `api.py` of each feature.

The document is made from what the decorator of a view says, see openapi.py, and a request is read by the same models.
Answers are documented, and held to it by tests and not at each request.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

from flask import Blueprint, Flask, current_app, g, json, render_template, request
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response

from app import copies, tracing
from app.accounts import access_tokens
from app.accounts.access_tokens import TokenHolder, bearer_token, is_signed
from app.accounts.service import AccountGone
from app.api import Operation
from app.api.messages import LONGEST_NAME, MOST_ERRORS, read_body, read_headers, read_query, refuse_body
from app.extensions import csrf
from app.limits import rate_limits
from app.limits.quotas import DeletedSince
from app.limits.rate_limits import Limit, ProcessBuckets, RateLimited, Standing
from app.rejection import RowNotFound
from app.schemas import IfNoneMatch, Parameters
from app.web.access import public
from app.web.answers import rate_limit_fields, retry_after, wait_sentence
from app.web.errors import Problem
from app.web.marks import View, mark_of, marking

bp = Blueprint("api", __name__, url_prefix="/api/v1")
bp.record_once(lambda state: state.app.extensions.update(reads=ProcessBuckets()))
bp.register_error_handler(AccountGone, lambda _error: unauthorized().answer())
csrf.exempt(bp)

ALWAYS = (400, 401, 403, 405, 412, 413, 415, 422, 429, 500, 503)  # what any operation may answer, as problem+json
OPERATIONS: dict[str, Operation] = {}  # by endpoint


def caller() -> TokenHolder:
    """Return the account whose program asks."""
    found: TokenHolder = g.account
    return found


@bp.before_request
def let_in() -> None:
    """Let in who has a token with the scope of the operation. Raises: Problem 401 and 403, RateLimited."""
    scope: str = mark_of(request.endpoint, "scope")
    if not scope:
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


def unauthorized() -> Problem:
    sentence = _("Send a valid access token: Authorization: Bearer sc_… You create one on My page.")
    challenge = 'Bearer realm="Semicircle"' + (', error="invalid_token"' if token_of_request() else "")
    return Problem(401, _("Sign-in needed"), sentence, {"WWW-Authenticate": challenge})


@bp.errorhandler(RateLimited)
def rate_limited(error: RateLimited) -> Response:
    if "standing" not in g:
        g.standing = Standing(limit_of_request(), 0, error.seconds)
    return too_many_requests(error, wait_sentence(error))


def too_many_requests(error: RateLimited, sentence: str) -> Response:
    return Problem(429, _("Too many requests"), sentence, retry_after(error)).answer()


def limit_of_request() -> Limit:
    return rate_limits.API_READS if request.method in ("GET", "HEAD") else rate_limits.WRITES


@bp.after_request
def tell_standing(response: Response) -> Response:
    if standing := g.get("standing"):
        response.headers.extend(rate_limit_fields(standing))
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


class Answer(BaseModel):
    """A JSON object in an answer. It is never built: it documents what the views give.

    Tests refuse a field that is not documented. The document allows any, so that clients of today read a new one; it
    says so, since openapi-generator takes silence for a no.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True, json_schema_extra={"additionalProperties": True})


NEXT: Any = Field(description="the cursor of the next page, whose URL is also in the header Link; null: there is none")


class Wrong(Answer):
    pointer: str | None = Field(
        None,
        description=f"JSON pointer to the field of the body, with a name cut to {LONGEST_NAME} characters",
        examples=["#/title"],
    )
    parameter: str | None = Field(None, description="name of the parameter of the URL, or of the header")
    detail: str


class ProblemDetails(Answer):
    """RFC 9457. The sentences are in the language of the account, or of Accept-Language."""

    type: str
    title: str
    status: int
    detail: str = Field(description="what to do")
    errors: list[Wrong] | None = Field(None, description=f"the first {MOST_ERRORS}")
    current: dict[str, Any] | None = Field(None, description="412: the row as it is now")


def operation(
    methods: str,
    path: str,
    scope: str,
    answer: type[Answer] | None = None,
    status: int = 200,
    may: Iterable[int] = (),
    sends: Sequence[str] = (),
    gives: str | None = None,
    tells: Sequence[str] = (),
) -> Callable[[View], View]:
    """Make a view an operation of the API, which reads the models of its parameters `query`, `body` and `headers`.

    Args:
        scope: that the token must have.
        answer: the JSON of the answer; None: it has no body (204), or one that is no JSON.
        may: further statuses that it may answer with a problem, such as 404.
        sends, gives: the media types of a request and of an answer that are no JSON.
        tells: headers of the answer, besides those of every answer with its status, see openapi.py.
    """

    def decorate(view: View) -> View:
        marking(scope=scope)(view)  # let_in() asks for it
        models = view.__annotations__
        answers = {(status if answer or gives else 204): answer, **dict.fromkeys((*ALWAYS, *may), ProblemDetails)}
        headers = models.get("headers", Parameters)
        answers |= {304: None} if issubclass(headers, IfNoneMatch) else {}
        declared = Operation(view, scope, answers, tuple(sends), gives, tuple(tells), has_methods=", " in methods)
        OPERATIONS[f"{bp.name}.{view.__name__}"] = declared

        @wraps(view)
        def read_and_call(**values: Any) -> Any:
            copies.refuse_unread(headers)
            asked = read_query(models.get("query", Parameters))
            if "query" in models:
                values["query"] = asked
            if "headers" in models:
                values["headers"] = read_headers(models["headers"])
            if "body" in models:
                values["body"] = read_body(models["body"])
            elif not sends:
                refuse_body()
            return view(**values) or Response(status=204)

        bp.add_url_rule(path, view_func=read_and_call, methods=methods.split(", "))
        return view

    return decorate


@cache
def document() -> str:
    """Return the document as JSON. It is the same for everybody, so it is made once."""
    from app.api import openapi  # with spectree and the schema of each answer, which nothing but the document needs

    return json.dumps(openapi.made(OPERATIONS, bp.name))


@bp.get("/openapi.json")
@public
def openapi() -> Response:
    return Response(document(), mimetype="application/json")


@bp.get("/docs")
@public
def read_document() -> str:
    return render_template("api/document.html", document=json.loads(document()))
