"""All pages of notes: each module of views adds its own to the one blueprint. Shared notes are another one."""

from app.notes import edit_views, task_views, trash_views
from app.notes.share_views import links
from app.notes.views import bp

__all__ = ["bp", "edit_views", "links", "task_views", "trash_views"]
