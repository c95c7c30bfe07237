"""Declare what the schemas of requests share: pydantic reads requests by them, and the API's document tells them."""

import re
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationInfo, field_validator

MOST_ITEMS = 100  # of a list in a body
NUMBER = r"(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?"
SPELLINGS = {
    date: "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    int: NUMBER,
    float: NUMBER,
    bool: "(?i:true|false)|[01]",  # clients write True into a URL, and 1 those that are generated for PHP
}


_WHOLE = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value.is_integer() else value)
Id = Annotated[int, Field(ge=1, le=2**63 - 1), _WHOLE]  # JSON schema takes 1.0 for an integer too


class Spelled(BaseModel):
    """A value has one spelling. pydantic takes others: of a date seconds since 1970, of a number 1_0, of true "yes"."""

    @field_validator("*", mode="before")
    @classmethod
    def refuse_other_spellings(cls, value: object, field: ValidationInfo) -> object:
        annotation = cls.model_fields[str(field.field_name)].annotation
        for kind, spelling in SPELLINGS.items():
            if isinstance(value, str) and kind in (annotation, *get_args(annotation)):
                if not re.fullmatch(spelling, value):
                    raise ValueError(value)
                return date.fromisoformat(value) if kind is date else value
        return value


def without_defaults(schema: dict[str, Any]) -> None:
    """Leave out defaults: a generated client would send them, and so change what should stay as it is."""
    for field in schema["properties"].values():
        field.pop("default", None)


def never_null(schema: dict[str, Any]) -> None:
    """Leave out null, which neither a URL nor a header has. None is the name for what was not sent."""
    for field in schema["properties"].values():
        if "anyOf" in field:
            field.update(field.pop("anyOf")[0])
            del field["default"]


class Body(Spelled):
    """A JSON object in a request. Unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=without_defaults)


class Parameters(Spelled):
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
        description="Drawn by you, such as a UUID. The same request with it creates nothing again for 24 hours. "
        "It gets what was created, as it is now, or 410 if that was deleted for good.",
    )


class IfMatch(Headers):
    if_match: str | None = Field(None, alias="If-Match", description="the ETag that your change started from")


class IfNoneMatch(Headers):
    if_none_match: str | None = Field(None, alias="If-None-Match", description="the ETag that you have")


class Since(Parameters):
    updated_since: str | None = Field(None, description="next of the answer before; without it all of them come first")


def unknown_fields(model: type[BaseModel], found: object) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of the fields that the model does not have, in the order in which they were sent."""
    if issubclass(model, RootModel) and isinstance(found, list):
        [item] = get_args(model.model_fields["root"].annotation)
        for number, each in enumerate(islice(found, MOST_ITEMS)):
            yield from ((number, *path) for path in unknown_fields(item, each))
    elif isinstance(found, dict):
        yield from ((name,) for name in found if name not in model.model_fields)
