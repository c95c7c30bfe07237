"""The pages that edit a note, in the blueprint of notes: the editor, and what a conflict of two edits shows."""

from flask import redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.exceptions import Conflict

from app.follower.choice import from_follower
from app.notes import markdown, service
from app.notes.differences import compare
from app.notes.forms import EditNoteForm, NoteForm
from app.notes.list_columns import NoteRow
from app.notes.models import CONTENT_LENGTH
from app.notes.views import Answer, bp, return_url
from app.web.answers import go_to, refusal
from app.web.drafts import accepted
from app.web.errors import show_error, wants_json
from app.web.form_recovery import recovers


@bp.post("/preview")
@recovers("title", "content")
def preview() -> Answer:
    """The typed text as it will be read. Nothing is stored, so it may be too long."""
    form = NoteForm()
    content = form.content.data[: 2 * CONTENT_LENGTH]
    html = markdown.render(content, tags_at=url_for("notes.index", tag=""))
    return render_template("notes/preview.html", title=form.title.data[:CONTENT_LENGTH], html=html)


@bp.get("/<id:note_id>/edit")
@from_follower
def edit(note_id: int) -> Answer:
    note = service.get_note_or_deleted(current_user.id, note_id)
    if note.deleted_at:
        return redirect(url_for("notes.show", note_id=note_id))
    return editor(EditNoteForm(obj=note), note_id)


@bp.post("/<id:note_id>")
@recovers("title", "content")
def change(note_id: int) -> Answer:
    form = EditNoteForm()
    if not form.validate():
        service.get_note_or_deleted(current_user.id, note_id)  # another user's note is 404 rather than 422
        return refusal(form) if wants_json() else (editor(form, note_id), 422)
    try:
        typed = (form.title.data, form.content.data, form.version.data)
        version = service.update_note(current_user.id, note_id, *typed, from_trash="from_trash" in request.form)
    except service.StaleVersion as stale:
        return show_error(Conflict()) if wants_json() else (conflict(form, stale.current), 409)
    return accepted(go_to(return_url(url_for("notes.index")), version=version), f"notes.{note_id}")


def editor(form: EditNoteForm, note_id: int) -> str:
    back = return_url(url_for("notes.index"))
    return render_template("notes/edit.html", form=form, note_id=note_id, back=back)


def conflict(form: EditNoteForm, current: NoteRow) -> str:
    """The page of an edit conflict: both texts, and a form with the stored version, which it would replace."""
    stored, mine = compare(current.content, form.content.data)
    back = return_url(url_for("notes.index"))
    return render_template("notes/conflict.html", form=form, current=current, stored=stored, mine=mine, back=back)
