"""Marks of views: what a decorator notes on a view, and what comes before or after the view asks for."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app

View = TypeVar("View", bound=Callable[..., object])


def marking(**marks: object) -> Callable[[View], View]:
    """Return a decorator that notes the marks on a view."""

    def mark(view: View) -> View:
        vars(view).update(marks)
        return view

    return mark


def mark_of(endpoint: str | None, name: str, default: object = False) -> Any:
    """Return a mark of the view behind an endpoint; the default if it has none, or there is no view."""
    return getattr(current_app.view_functions.get(endpoint or ""), name, default)
