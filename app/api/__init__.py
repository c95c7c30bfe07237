"""The frame of the JSON API, /api/v1: a second door to the services.

Its operations stand in the `api.py` of each feature.
"""

from app.api import document
from app.api.blueprint import bp

__all__ = ["bp", "document"]
