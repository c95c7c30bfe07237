"""What a request may hold: a body, the query of its URL, headers. Unknown ones are refused, but for headers."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


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
