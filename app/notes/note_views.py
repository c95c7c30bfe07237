"""Show one note and its history, edit, pin, archive, delete and share it; show archive, trash, what a link opens."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response

from app.follower.follower import from_follower
from app.notes import markdown, service, sharing, versions
from app.notes.forms import VERSION, EditNoteForm, NoteForm, return_url
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, VERSIONS_KEPT
from app.notes.texts import TaskNotFound, Tick
from app.rejection import RowNotFound
from app.web.access import public, requested_cursor
from app.web.answers import Answer, accepted, go_to, refusal
from app.web.errors import SENTENCES, error_response, settle_reader, show_error, wants_json
from app.web.form_recovery import offer, posted_form, recovers
from app.web.form_tokens import idempotency_key
from app.web.formats import date_and_time
from app.web.headers import send_no_referrer
from app.web.request_size import accepts_long_text

bp = Blueprint("notes", __name__, url_prefix="/notes")
links = Blueprint("shared_notes", __name__)

CUT = lazy_gettext("This note has too many lines or signs such as * and [, so some of it is shown as it was typed.")


@bp.get("/<id:note_id>")
@from_follower
def show(note_id: int) -> Answer:
    """Show a note, also one in the archive or the trash: it is there to be read until it is deleted for good."""
    note = service.get_note_or_deleted(current_user.id, note_id)
    tags_at = url_for("notes.index", tag="")
    html = markdown.render(note.content, tags_at=tags_at, can_tick=not note.deleted_at, cut_notice=CUT)
    template = "deleted" if note.deleted_at else "show"
    home = "notes.trash" if note.deleted_at else "notes.archived" if note.archived_at else "notes.index"
    back = return_url(url_for(home))
    links = current_app.extensions["on_note"]
    return render_template(f"notes/{template}.html", note=note, html=html, back=back, links=links)


@bp.get("/<id:note_id>/edit")
@from_follower
def edit(note_id: int) -> Answer:
    note = service.get_note_or_deleted(current_user.id, note_id)
    if note.deleted_at:
        return redirect(url_for("notes.show", note_id=note_id))
    return editor(EditNoteForm(obj=note), note_id)


@bp.post("/<id:note_id>")
@accepts_long_text()
@recovers("title", "content")
def change(note_id: int) -> Answer:
    form = EditNoteForm()
    if not form.validate():
        service.get_note_or_deleted(current_user.id, note_id)  # another user's note is 404 rather than 422
        return refusal(form) if wants_json() else (editor(form, note_id), 422)
    if "both" in request.args:
        return keep_both(form, note_id)
    try:
        typed = (form.title.data, form.content.data, form.version.data)
        version = service.update_note(current_user.id, note_id, *typed, from_trash="from_trash" in request.form)
    except service.StaleVersion as stale:
        return show_error(Conflict()) if wants_json() else (conflict(form, stale.current), 409)
    except RowNotFound:  # as one that was deleted for good meanwhile
        if wants_json() or not (kept := posted_form(url_for("notes.create"))):
            raise
        return offer(kept, _("This note isn't there anymore. Send your text again to save it as a new note.")), 404
    return accepted(go_to(return_url(url_for("notes.index")), version=version), f"notes.{note_id}")


def editor(form: EditNoteForm, note_id: int) -> str:
    back = return_url(url_for("notes.index"))
    return render_template("notes/edit.html", form=form, note_id=note_id, back=back)


def conflict(form: EditNoteForm, current: service.NoteRow) -> str:
    """Show both texts of an edit conflict, and a form with the stored version, which it would replace."""
    stored, mine = compare(current.content, form.content.data)
    back = return_url(url_for("notes.index"))
    return render_template("notes/conflict.html", form=form, current=current, stored=stored, mine=mine, back=back)


def keep_both(form: EditNoteForm, note_id: int) -> Answer:
    """Store the reader's text of a conflict as a note of its own, also if the other was deleted for good meanwhile."""
    new_id = service.create_note(current_user.id, form.title.data, form.content.data, idempotency_key())
    flash(_("Both are kept. Your text is a new note."), f"open {url_for('notes.show', note_id=new_id)}")
    return accepted(go_to(return_url(url_for("notes.index"))), f"notes.{note_id}")


@bp.get("/<id:note_id>/history")
@from_follower
def history(note_id: int) -> str:
    kept = versions.list_versions(current_user.id, note_id)
    return render_template("notes/history.html", note_id=note_id, versions=kept, most=VERSIONS_KEPT)


@bp.get("/<id:note_id>/history/<id:version>")
@from_follower
def show_version(note_id: int, version: int) -> str:
    return version_page(note_id, version)


@bp.post("/<id:note_id>/history/<id:version>")
def bring_back(note_id: int, version: int) -> Answer:
    """Give the note the text of this version again, if it is as the page has shown it beside the version."""
    then = versions.get_version(current_user.id, note_id, version)
    seen = request.form.get("version", "")
    if not VERSION.fullmatch(seen):
        abort(422)
    try:
        service.update_note(current_user.id, note_id, then.title, then.content, int(seen))
    except service.StaleVersion:
        flash(_("This note was changed in the meantime. Here it is as it is now."))
        return version_page(note_id, version), 409
    flash(_("Restored the version of %(when)s.", when=date_and_time(then.saved_at)))
    return redirect(url_for("notes.show", note_id=note_id))


def version_page(note_id: int, version: int) -> str:
    found = versions.get_version(current_user.id, note_id, version)
    then, now = compare(found.content, found.now_content)
    return render_template("notes/version.html", note_id=note_id, version=found, then=then, now=now)


def compare(stored: str, mine: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Return the lines of each text, each with True if the other text has no such line. The cost is linear."""
    old, new = stored.split("\n"), mine.split("\n")
    both = {*old} & {*new}
    return [(text, text not in both) for text in old], [(text, text not in both) for text in new]


@bp.post("/preview")
@accepts_long_text()
@recovers("title", "content")
def preview() -> Answer:
    """Show the typed text as it will be read. Nothing is stored, so it may be too long."""
    form = NoteForm()
    content = form.content.data[: 2 * CONTENT_LENGTH]
    html = markdown.render(content, tags_at=url_for("notes.index", tag=""), cut_notice=CUT)
    return render_template("notes/preview.html", title=form.title.data[: 2 * TITLE_LENGTH], html=html)


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


@bp.post("/<id:note_id>/pin")
def pin(note_id: int) -> Answer:
    if request.values.get("pinned") not in ("0", "1"):
        abort(422)
    service.pin_note(current_user.id, note_id, pinned=request.values["pinned"] == "1")
    return redirect(f"{return_url(url_for('notes.index'))}#note-{note_id}")  # it may stand elsewhere in the list now


@bp.post("/<id:note_id>/share")
def share(note_id: int) -> Answer:
    if request.form.get("shared") not in ("0", "1"):
        abort(422)
    if request.form["shared"] == "1":
        sharing.share_note(current_user.id, note_id)
        return redirect(url_for("notes.show", note_id=note_id, _anchor="sharing"))
    sharing.stop_sharing(current_user.id, note_id)
    flash(_("Sharing has ended. The link no longer works."))
    return redirect(url_for("notes.show", note_id=note_id))


@bp.get("/shared")
@from_follower
def list_shared() -> Answer:
    notes, older = sharing.list_shared(current_user.id, requested_cursor(sharing.KEY_BOUNDS))
    return render_template("notes/list_shared.html", notes=notes, older=older)


@bp.get("/archive")
@from_follower
def archived() -> str:
    notes, older = service.list_archive(current_user.id, requested_cursor(service.PUT_AWAY_BOUNDS))
    return render_template("notes/archive.html", notes=notes, older=older)


@bp.post("/<id:note_id>/archive", endpoint="archive")
def archive_note(note_id: int) -> Response:
    name = service.archive_note(current_user.id, note_id, archived=True)
    back = return_url(url_for("notes.index"))
    undo = url_for("notes.unarchive", note_id=note_id, next=back)
    flash(_("Archived “%(name)s”.", name=name), f"undo {undo}")  # _messages.html makes it a button
    return redirect(back)


@bp.post("/<id:note_id>/unarchive")
def unarchive(note_id: int) -> Response:
    name = service.archive_note(current_user.id, note_id, archived=False)
    flash(_("“%(name)s” is back in the list.", name=name))
    return redirect(return_url(url_for("notes.index")))


@bp.post("/<id:note_id>/delete")
def delete(note_id: int) -> Response:
    name = service.delete_note(current_user.id, note_id)
    back = return_url(url_for("notes.index"))
    undo = url_for("notes.restore", note_id=note_id, next=back)
    sentence = _("Moved “%(name)s” to the trash.", name=name)
    if sharing.is_shared(current_user.id, note_id):
        sentence = _("Moved “%(name)s” to the trash. Its link doesn't work while it's there.", name=name)
    flash(sentence, f"undo {undo}")
    return redirect(back)


@bp.get("/trash")
@from_follower
def trash() -> str:
    notes, older = service.list_trash(current_user.id, requested_cursor(service.PUT_AWAY_BOUNDS))
    return render_template("notes/trash.html", notes=notes, older=older)


@bp.post("/trash/empty")
def empty_trash() -> Response:
    service.empty_trash(current_user.id)
    flash(_("The trash is empty."))
    return redirect(url_for("notes.trash"))


@bp.post("/<id:note_id>/restore")
def restore(note_id: int) -> Response:
    name = service.restore_note(current_user.id, note_id)
    if sharing.is_shared(current_user.id, note_id):
        flash(_("“%(name)s” restored. Its link works again.", name=name))
    else:
        flash(_("“%(name)s” restored.", name=name))
    return redirect(return_url(url_for("notes.index")))


@bp.post("/<id:note_id>/delete-for-good")
def delete_for_good(note_id: int) -> Response:
    name = service.delete_note_for_good(current_user.id, note_id)
    flash(_("“%(name)s” deleted for good.", name=name))
    return redirect(url_for("notes.trash"))


@links.get("/s/<token>", endpoint="show")
@public
def show_shared(token: str) -> Answer:
    """Show the same to everybody, its owner too: nobody looks who reads it."""
    settle_reader()
    note = sharing.get_shared_note(token)
    html = markdown.render(note.content, tags_at=None, cut_notice=CUT)
    page = render_template("notes/shared.html", note=note, html=html)
    send_no_referrer()
    return page


@links.errorhandler(RowNotFound)
def link_ended(error: RowNotFound) -> Response:
    advice = _("It may not be shared anymore, or the address may have a typo.")
    return error_response(NotFound(), SENTENCES[404][0], advice)
