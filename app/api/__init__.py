"""The API: what an operation declares. document.py reads its requests by that, and openapi.py documents it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel


class Operation(NamedTuple):
    view: Callable[..., Any]  # whose parameters `query`, `body` and `headers` are models
    scope: str
    answers: Mapping[int, type[BaseModel] | None]  # by status; None: no body, or one that is no JSON
    sends: tuple[str, ...]  # the media types of a request that is no JSON, and of such an answer
    gives: str | None
    tells: tuple[str, ...]  # headers of the answer below 400
    has_methods: bool  # several, and so several names
