"""The JSON API, /api/v1: a second door to the same services. Importing a feature's module adds its views to `bp`."""

from app.api import notes, profile, todos, wordcounts
from app.api.blueprint import bp

__all__ = ["bp", "notes", "profile", "todos", "wordcounts"]
