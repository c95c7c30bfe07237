"""All pages of notes: each module of views adds its own to the one blueprint."""

from app.notes import task_views, trash_views
from app.notes.views import bp

__all__ = ["bp", "task_views", "trash_views"]
