"""The pages of notes: list, read, write, edit, trash."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.notes import service
from app.notes.forms import EditNoteForm, NoteForm
from app.web.errors import show_error

bp = Blueprint("notes", __name__, url_prefix="/notes")

Answer = str | Response | tuple[str, int]


@bp.errorhandler(service.NoteNotFound)
def note_not_found(error: service.NoteNotFound) -> Response:
    return show_error(NotFound())


@bp.get("")
def index() -> Answer:
    return render_template("notes/index.html", form=NoteForm(), page=asked_page())


@bp.post("")
def create() -> Answer:
    form = NoteForm()
    if not form.validate():
        return render_template("notes/index.html", form=form, page=service.list_notes(current_user.id)), 422
    service.create_note(current_user.id, form.title.data, form.content.data)
    return redirect(url_for("notes.index"))


def asked_page() -> service.Page:
    """The page that `?before=` asks for; 400 when it is no cursor of ours."""
    before = request.args.get("before")
    if before is None:
        return service.list_notes(current_user.id)
    try:
        return service.list_notes(current_user.id, service.Cursor.parse(before))
    except ValueError:
        abort(400)


@bp.get("/<id:note_id>")
def show(note_id: int) -> Answer:
    return render_template("notes/show.html", note=service.get_note(current_user.id, note_id))


@bp.get("/<id:note_id>/edit")
def edit(note_id: int) -> Answer:
    note = service.get_note(current_user.id, note_id)
    return render_template("notes/edit.html", form=EditNoteForm(obj=note), note_id=note_id)


@bp.post("/<id:note_id>")
def change(note_id: int) -> Answer:
    form = EditNoteForm()
    if not form.validate():
        service.get_note(current_user.id, note_id)  # somebody else's note is 404 before anything else is said
        return render_template("notes/edit.html", form=form, note_id=note_id), 422
    try:
        service.update_note(current_user.id, note_id, form.title.data, form.content.data, form.version.data)
    except service.StaleVersion as stale:
        return render_template("notes/conflict.html", form=form, current=stale.current), 409
    return redirect(url_for("notes.show", note_id=note_id))


@bp.post("/<id:note_id>/pin")
def pin(note_id: int) -> Answer:
    if request.form.get("pinned") not in ("0", "1"):
        abort(422)
    service.pin_note(current_user.id, note_id, pinned=request.form["pinned"] == "1")
    return redirect(url_for("notes.index"))


@bp.post("/<id:note_id>/delete")
def delete(note_id: int) -> Answer:
    service.delete_note(current_user.id, note_id)
    undo = url_for("notes.restore", note_id=note_id)
    flash(_("The note is in the trash."), f"undo {undo}")  # base.html puts a button for it into the message
    return redirect(url_for("notes.index"))


@bp.post("/<id:note_id>/restore")
def restore(note_id: int) -> Answer:
    service.restore_note(current_user.id, note_id)
    flash(_("The note is back."))
    return redirect(url_for("notes.index"))


@bp.get("/trash")
def trash() -> Answer:
    return render_template("notes/trash.html", notes=service.list_trash(current_user.id))


@bp.post("/trash/empty")
def empty_trash() -> Answer:
    service.empty_trash(current_user.id)
    flash(_("The trash is empty."))
    return redirect(url_for("notes.trash"))
