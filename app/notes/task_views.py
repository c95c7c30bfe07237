"""Tick off a task of a note where it is read, in the blueprint of notes."""

from flask import abort, flash, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import Conflict

from app.notes import service
from app.notes.task_boxes import TaskNotFound, Tick
from app.notes.views import Answer, bp
from app.web.answers import go_to
from app.web.errors import show_error, wants_json


@bp.post("/<id:note_id>/task")
def tick(note_id: int) -> Answer:
    try:
        chosen = Tick.parse(request.form.get("task", ""))
    except ValueError:
        service.get_note(current_user.id, note_id)  # another user's note is 404 rather than 422
        abort(422)
    try:
        service.tick_task(current_user.id, note_id, chosen)
    except (TaskNotFound, service.StaleVersion):
        if wants_json():
            return show_error(Conflict())
        flash(_("This note was changed in the meantime. Here it is as it is now."))
    return go_to(url_for("notes.show", note_id=note_id))
