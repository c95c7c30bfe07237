"""All pages of notes: each module of views adds its own to the one blueprint."""

from app.notes import edit_views, task_views, trash_views
from app.notes.views import bp

__all__ = ["bp", "edit_views", "task_views", "trash_views"]
