"""The JSON API, /api/v1, a second door to the services: who gets in, and the OpenAPI document with the page to read it.

Programs have bearer tokens (RFC 6750), scopes and rate limits. Closed by default, as pages are: a cookie opens nothing
here, so no other site can send a request in a reader's name (CSRF), and a token opens no page. The operations stand in
the `api.py` of each feature.

The document is made from the code by spectree, which takes the models of a view from one decorator and leaves the
application a plain Flask one. What it documents is what `Reader` reads a request by. Answers are documented, and held
to it by tests and not at each request.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app, g, json, render_template, request
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field
from spectree import Response as Documented
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData
from spectree.plugins.flask_plugin import FlaskPlugin
from werkzeug.wrappers import Response

from app import tracing
from app.accounts import access_tokens
from app.accounts.access_tokens import TokenHolder, bearer_token, is_signed
from app.accounts.service import AccountGone
from app.api.messages import LONGEST_NAME, MOST_ERRORS, Parameters, read_body, read_headers, read_query, wrong_value
from app.extensions import csrf
from app.limits import rate_limits
from app.limits.quotas import DeletedSince
from app.limits.rate_limits import Limit, ProcessBuckets, RateLimited, Standing
from app.rejection import RowNotFound
from app.web.access import for_programs, public
from app.web.answers import rate_limit_fields, retry_after, wait_sentence
from app.web.errors import Problem

View = TypeVar("View", bound=Callable[..., Any])

bp = Blueprint("api", __name__, url_prefix="/api/v1")
bp.record_once(lambda state: state.app.extensions.update(reads=ProcessBuckets()))
csrf.exempt(bp)

ALWAYS = (400, 401, 403, 405, 413, 415, 422, 429, 500, 503)  # what any operation may answer, as problem+json
# The HTTP server answers any operation with these, as HTML, before it asks us.
TOO_LONG = {"414": "The request line has more than 4094 bytes", "431": "A header has more than 8190 bytes"}
# Filled by operation(), by the name of the view.
SENDS: dict[str, Sequence[str]] = {}
GIVES: dict[str, str | None] = {}
OF_TWO_METHODS: set[str] = set()


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
    """A JSON object in an answer. It is never built: it documents what the views give."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    @cache  # spectree asks for the schema of each answer of each operation, which was 0.3 s of each start
    def model_json_schema(cls, *arguments: Any, **named: Any) -> dict[str, Any]:  # type: ignore[override]
        return super().model_json_schema(*arguments, **named)


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
    current: dict[str, Any] | None = Field(None, description="412: the note as it is now")


class Reader(FlaskPlugin):
    """spectree's plugin for Flask. It reads a request for a view, and leaves the view's answer alone."""

    def find_routes(self) -> Iterable[Any]:
        return (rule for rule in current_app.url_map.iter_rules() if rule.endpoint.startswith(f"{bp.name}."))

    def validate(self, func: Any, query: Any, json: Any, form: Any, headers: Any, *rest: Any, **path: Any) -> Any:
        values = path
        asked = read_query(query or Parameters)
        if query:
            values["query"] = asked
        if headers:
            values["headers"] = read_headers(headers)
        if json:
            values["body"] = read_body(json)
        elif request.content_length and not SENDS[func.__name__]:
            raise wrong_value("#", _("This operation takes no body."))
        return func(**values) or Response(status=204)


BEARER = SecuritySchemeData(type=SecureType.HTTP, scheme="bearer", description="An access token of My page.")
spec = SpecTree(
    backend=Reader,
    mode="strict",
    naming_strategy=lambda model: str(model.__name__),
    nested_naming_strategy=lambda _parent, child: child,
    title="Semicircle",
    version="1",
    security_schemes=[SecurityScheme(name="token", data=BEARER)],
)


def operation(
    methods: str,
    path: str,
    scope: str,
    answer: type[Answer] | None = None,
    status: int = 200,
    may: Iterable[int] = (),
    sends: Sequence[str] = (),
    gives: str | None = None,
) -> Callable[[View], View]:
    """Make a view an operation of the API, which reads the models of its parameters `query`, `body` and `headers`.

    Args:
        scope: that the token must have.
        answer: the JSON of the answer; None: it has no body (204), or one that is no JSON.
        may: further statuses that it may answer with a problem, such as 404.
        sends, gives: the media types of a request and of an answer that are no JSON.
    """
    problems: dict[str, Any] = {f"HTTP_{code}": ProblemDetails for code in (*ALWAYS, *may)}

    def decorate(view: View) -> View:
        for_programs(view).scope = scope  # type: ignore[attr-defined] # let_in() asks for it
        name = view.__name__
        success = status if answer or gives else 204
        SENDS[name], GIVES[name] = sends, gives
        if ", " in methods:
            OF_TWO_METHODS.add(name)
        documented: View = spec.validate(
            query=view.__annotations__.get("query"),
            json=view.__annotations__.get("body"),
            headers=view.__annotations__.get("headers"),
            resp=Documented(**{f"HTTP_{success}": answer}, **problems),
            tags=[scope.partition(":")[0]],
            security={"token": [scope]},
            operation_id=name,
        )(view)
        bp.add_url_rule(path, view_func=documented, methods=methods.split(", "))
        return documented

    return decorate


@cache
def document() -> str:
    """Return the document as JSON. It is the same for everybody, so it is made once."""
    made = spec.spec
    for operations in made["paths"].values():
        for method, each in operations.items():
            complete(method, each)
    return json.dumps(made)


def complete(method: str, each: dict[str, Any]) -> None:
    """Add what spectree does not know: bodies that are no JSON, what the HTTP server answers, the range of ids."""
    name, binary = each["operationId"], {"schema": {"type": "string", "format": "binary"}}
    if SENDS[name]:
        each["requestBody"] = {"content": dict.fromkeys(SENDS[name], binary), "required": True}
    if GIVES[name]:
        each["responses"]["200"]["content"] = {GIVES[name]: binary}
    if name in OF_TWO_METHODS:
        each["operationId"] = f"{method}_{name}"
    for status, response in each["responses"].items():
        if status >= "400":
            response["content"] = {"application/problem+json": response["content"]["application/json"]}
    html = {"text/html": {"schema": {"type": "string"}}}
    each["responses"] |= {status: {"description": why, "content": html} for status, why in TOO_LONG.items()}
    for parameter in each["parameters"]:
        if parameter["in"] == "path" and parameter["name"] != "public_id":
            parameter["schema"] = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}
        parameter["required"] |= parameter["name"] == "If-Match" and method == "patch"  # without it: 428


@bp.get("/openapi.json")
@public
def openapi() -> Response:
    return Response(document(), mimetype="application/json")


@bp.get("/docs")
@public
def read_document() -> str:
    return render_template("api/document.html", document=json.loads(document()))
