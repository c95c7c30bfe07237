"""The JSON API, /api/v1: a second door to the same services."""

from app.api import notes, profile, todos, wordcounts
from app.api.blueprint import bp
from app.api.document import add_operations

__all__ = ["bp"]

for module in (notes, profile, todos, wordcounts):
    add_operations(module)
