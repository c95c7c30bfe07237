"""What a request may hold: a body, the query of its URL, headers. Unknown ones are refused, but for headers."""

import uuid
from typing import Annotated, Any

from flask import request
from flask_babel import gettext as _
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app import idempotency
from app.api.blueprint import caller
from app.web.problem import Problem


def without_defaults(schema: dict[str, Any]) -> None:
    """A client that is made from the document would send a default, and so change what should stay as it is."""
    for field in schema["properties"].values():
        field.pop("default", None)


def never_null(schema: dict[str, Any]) -> None:
    """A URL and a header have no null. None is the name for what was not sent."""
    for field in schema["properties"].values():
        if "anyOf" in field:
            field.update(field.pop("anyOf")[0])
            del field["default"]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Id = Annotated[int, Field(ge=1, lt=2**63), BeforeValidator(_whole)]  # JSON schema takes 1.0 for an integer too


class Body(BaseModel):
    """A JSON object in a request. Unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=without_defaults)


class Parameters(BaseModel):
    """The query of a URL. Unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=never_null)


class Page(Parameters):
    cursor: str | None = Field(None, description="next of the page before")


class Headers(BaseModel):
    """Headers that an operation reads. Others are nobody's mistake."""

    model_config = ConfigDict(json_schema_extra=never_null)


class IdempotencyKey(Headers):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Drawn by you, such as a UUID. The same request with it creates nothing again for 24 hours.",
    )


def row_key(headers: IdempotencyKey) -> uuid.UUID | None:
    """The key that the service stores with what is created. Call it last before the service.

    Raises:
        Problem: another request had this header.
    """
    if headers.idempotency_key is None:
        return None
    try:
        return idempotency.note(caller().id, headers.idempotency_key, request.path, request.get_data())
    except idempotency.KeyUsed as error:
        sentence = _("Another request had this Idempotency-Key within a day. Draw a new one for each request.")
        wrong = [{"parameter": "Idempotency-Key", "detail": sentence}]
        raise Problem(422, _("Something in the request isn't right"), sentence, errors=wrong) from error
