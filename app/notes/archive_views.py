"""The pages of the archive, in the blueprint of notes: list, archive, unarchive."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.follower.choice import from_follower
from app.keyset import Cursor
from app.notes.archive import KEY_BOUNDS, START, archive_note, list_archive
from app.notes.views import Answer, bp, return_url


@bp.get("/archive")
@from_follower
def archived() -> Answer:
    before = request.args.get("before")
    try:
        after = START if before is None else Cursor.parse(before, KEY_BOUNDS)
    except ValueError:
        abort(400)
    notes, older = list_archive(current_user.id, after)
    return render_template("notes/archive.html", notes=notes, older=older)


@bp.post("/<id:note_id>/archive")
def archive(note_id: int) -> Answer:
    name = archive_note(current_user.id, note_id, archived=True)
    back = return_url(url_for("notes.index"))
    undo = url_for("notes.unarchive", note_id=note_id, next=back)
    flash(_("Archived “%(name)s”.", name=name), f"undo {undo}")  # _messages.html makes it a button
    return redirect(back)


@bp.post("/<id:note_id>/unarchive")
def unarchive(note_id: int) -> Answer:
    name = archive_note(current_user.id, note_id, archived=False)
    flash(_("“%(name)s” is back in the list.", name=name))
    return redirect(return_url(url_for("notes.index")))
