"""The pages of the trash, in the blueprint of notes: list, restore, delete for good."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.follower.choice import from_follower
from app.notes import service, sharing, trash
from app.notes.views import Answer, bp, return_url


@bp.get("/trash", endpoint="trash")
@from_follower
def list_trash() -> Answer:
    return render_template("notes/trash.html", notes=trash.list_trash(current_user.id))


@bp.post("/trash/empty")
def empty_trash() -> Answer:
    trash.empty_trash(current_user.id)
    flash(_("The trash is empty."))
    return redirect(url_for("notes.trash"))


@bp.post("/<id:note_id>/restore")
def restore(note_id: int) -> Answer:
    name = service.restore_note(current_user.id, note_id)
    if sharing.is_shared(current_user.id, note_id):
        flash(_("“%(name)s” restored. Its link works again.", name=name))
    else:
        flash(_("“%(name)s” restored.", name=name))
    return redirect(return_url(url_for("notes.index")))


@bp.post("/<id:note_id>/delete-for-good")
def delete_for_good(note_id: int) -> Answer:
    name = trash.delete_note_for_good(current_user.id, note_id)
    flash(_("“%(name)s” deleted for good.", name=name))
    return redirect(url_for("notes.trash"))
