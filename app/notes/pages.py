"""All pages of notes: each module of views adds its own to the one blueprint. Shared notes are another one."""

from app.notes import archive_views, edit_views, selection_views, tag_views, task_views, trash_views
from app.notes.share_views import links
from app.notes.views import bp

__all__ = ["archive_views", "bp", "edit_views", "links", "selection_views", "tag_views", "task_views", "trash_views"]
