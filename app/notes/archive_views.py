"""Show the archive and the trash, and put notes into them or take them out."""

from functools import partial

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from app.follower.choice import from_follower
from app.keyset import Cursor
from app.notes import archive, service, sharing
from app.notes.forms import requested, return_url


def add_to(notes: Blueprint) -> None:
    """Add these pages to the blueprint of notes."""
    notes.add_url_rule("/archive", view_func=archived)
    notes.add_url_rule("/<id:note_id>/archive", "archive", archive_note, methods=["POST"])
    notes.add_url_rule("/<id:note_id>/unarchive", view_func=unarchive, methods=["POST"])
    notes.add_url_rule("/<id:note_id>/delete", view_func=delete, methods=["POST"])
    notes.add_url_rule("/trash", view_func=trash)
    notes.add_url_rule("/trash/empty", view_func=empty_trash, methods=["POST"])
    notes.add_url_rule("/<id:note_id>/restore", view_func=restore, methods=["POST"])
    notes.add_url_rule("/<id:note_id>/delete-for-good", view_func=delete_for_good, methods=["POST"])


@from_follower
def archived() -> str:
    after = requested("before", partial(Cursor.parse, bounds=archive.KEY_BOUNDS))
    notes, older = archive.list_archive(current_user.id, after or archive.START)
    return render_template("notes/archive.html", notes=notes, older=older)


def archive_note(note_id: int) -> Response:
    name = archive.archive_note(current_user.id, note_id, archived=True)
    back = return_url(url_for("notes.index"))
    undo = url_for("notes.unarchive", note_id=note_id, next=back)
    flash(_("Archived “%(name)s”.", name=name), f"undo {undo}")  # _messages.html makes it a button
    return redirect(back)


def unarchive(note_id: int) -> Response:
    name = archive.archive_note(current_user.id, note_id, archived=False)
    flash(_("“%(name)s” is back in the list.", name=name))
    return redirect(return_url(url_for("notes.index")))


def delete(note_id: int) -> Response:
    name = service.delete_note(current_user.id, note_id)
    back = return_url(url_for("notes.index"))
    undo = url_for("notes.restore", note_id=note_id, next=back)
    sentence = _("Moved “%(name)s” to the trash.", name=name)
    if sharing.is_shared(current_user.id, note_id):
        sentence = _("Moved “%(name)s” to the trash. Its link doesn't work while it's there.", name=name)
    flash(sentence, f"undo {undo}")
    return redirect(back)


@from_follower
def trash() -> str:
    return render_template("notes/trash.html", notes=archive.list_trash(current_user.id))


def empty_trash() -> Response:
    archive.empty_trash(current_user.id)
    flash(_("The trash is empty."))
    return redirect(url_for("notes.trash"))


def restore(note_id: int) -> Response:
    name = service.restore_note(current_user.id, note_id)
    if sharing.is_shared(current_user.id, note_id):
        flash(_("“%(name)s” restored. Its link works again.", name=name))
    else:
        flash(_("“%(name)s” restored.", name=name))
    return redirect(return_url(url_for("notes.index")))


def delete_for_good(note_id: int) -> Response:
    name = archive.delete_note_for_good(current_user.id, note_id)
    flash(_("“%(name)s” deleted for good.", name=name))
    return redirect(url_for("notes.trash"))
