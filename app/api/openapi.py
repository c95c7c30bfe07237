"""The OpenAPI document. spectree makes it of what the operations declare, and has no part in their requests."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flask import current_app
from pydantic import BaseModel
from spectree import Response as Documented
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData
from spectree.plugins.flask_plugin import FlaskPlugin

from app.api import Operation
from app.schemas import IfMatch, Page

# The HTTP server answers any operation with these, as HTML, before it asks us.
TOO_LONG = {"414": "The request line has more than 4094 bytes", "431": "A header has more than 8190 bytes"}
BEARER = SecuritySchemeData(type=SecureType.HTTP, scheme="bearer", description="An access token of My page.")

HEADERS = {  # of answers: the statuses from 400 that have it, and what it is
    "X-Request-ID": ("", "Name it when you ask about an answer."),
    "RateLimit-Policy": ("", 'The limit, such as "api-reads";q=600;w=60: 600 requests within 60 seconds.'),
    "RateLimit": ("", 'What is left, such as "api-reads";r=599;t=1: 599 requests, and in a second all of it.'),
    "WWW-Authenticate": ("401 403", "What is wrong with the token (RFC 6750)."),
    "Allow": ("405", "The methods of this path."),
    "ETag": ("412", "The version, in quotes. Send it in If-Match."),
    "Accept-Encoding": ("415", "identity: the body was compressed."),
    "Retry-After": ("429 503", "Seconds until it is worth asking again."),
    "Link": ("", "The URL of the next page, with rel=next. Without it this page is the last one."),
    "Location": ("", "The path of what was created."),
    "Content-Disposition": ("", "The name of the file."),
}
UNCOUNTED = ("403", "405")  # what is refused before it counts against a limit


class Routes(FlaskPlugin):
    """spectree's plugin for Flask. It finds the operations that were described, by endpoint."""

    described: Mapping[str, Callable[..., Any]]

    def find_routes(self) -> Iterable[Any]:
        return (rule for rule in current_app.url_map.iter_rules() if rule.endpoint in self.described)

    def parse_func(self, route: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
        return ((method, self.described[route.endpoint]) for method in route.methods)


def made(operations: Mapping[str, Operation], prefix: str) -> dict[str, Any]:
    """Return the document of the operations, which are given by endpoint."""
    spec = SpecTree(
        backend=Routes,
        mode="strict",
        naming_strategy=lambda model: str(model.__name__),
        nested_naming_strategy=lambda _parent, child: child,
        title="Semicircle",
        version="1",
        security_schemes=[SecurityScheme(name="token", data=BEARER)],
    )
    routes: Any = spec.backend
    routes.described = {endpoint: describe(spec, each) for endpoint, each in operations.items()}
    document: dict[str, Any] = spec.spec
    document["servers"] = [{"url": current_app.config["SITE_URL"] or "/"}]
    document["components"]["headers"] = {
        name: {"description": said, "schema": {"type": "string"}} for name, (_, said) in HEADERS.items()
    }
    for path in document["paths"].values():
        for method, each in path.items():
            complete(operations[f"{prefix}.{each['operationId']}"], method, each)
    return json.loads(json.dumps(document), object_hook=widen)  # type: ignore[no-any-return]


def widen(part: dict[str, Any]) -> dict[str, Any]:
    """Give an integer the format int64 unless 32 bits hold its range: generated clients read 32 without it."""
    if part.get("type") == "integer" and part.get("maximum", 2**63) >= 2**31:
        part["format"] = "int64"
    return part


def describe(spec: SpecTree, operation: Operation) -> Callable[..., Any]:
    models = operation.view.__annotations__
    decorate = spec.validate(
        query=models.get("query"),
        json=models.get("body"),
        headers=models.get("headers"),
        resp=Documented(**{f"HTTP_{status}": answer for status, answer in operation.answers.items()}),
        tags=[operation.scope.partition(":")[0]],
        security={"token": [operation.scope]},
        operation_id=operation.view.__name__,
    )
    described: Callable[..., Any] = decorate(operation.view)
    return described


def headers_of(operation: Operation, status: str) -> list[str]:
    told = ["X-Request-ID", *(() if status in UNCOUNTED else ("RateLimit-Policy", "RateLimit"))]
    models = operation.view.__annotations__
    if status == "412" and not issubclass(models.get("headers", BaseModel), IfMatch):
        return told  # it refuses If-Match, and has no row to tell of
    if status >= "400":
        return told + [name for name, (statuses, _) in HEADERS.items() if status in statuses.split()]
    has_pages = issubclass(models.get("query", BaseModel), Page)
    return [*told, *(["Link"] if has_pages else []), *operation.tells]


def complete(operation: Operation, method: str, each: dict[str, Any]) -> None:
    """Add what spectree does not know: bodies that are no JSON, what the HTTP server answers, headers, ids."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    if operation.sends:
        each["requestBody"] = {"content": dict.fromkeys(operation.sends, binary), "required": True}
    if operation.gives:
        each["responses"]["200"]["content"] = {operation.gives: binary}
    if operation.has_methods:
        each["operationId"] = f"{method}_{each['operationId']}"
    for status, response in each["responses"].items():
        if status >= "400":
            response["content"] = {"application/problem+json": response["content"]["application/json"]}
        told = headers_of(operation, status)
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in told}
    html = {"text/html": {"schema": {"type": "string"}}}
    each["responses"] |= {status: {"description": why, "content": html} for status, why in TOO_LONG.items()}
    for parameter in each["parameters"]:
        if parameter["in"] == "path" and parameter["name"] != "public_id":
            parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
        parameter["required"] |= parameter["name"] == "If-Match" and 428 in operation.answers
