"""Choose several notes of the list and do something to all of them, in the blueprint of notes."""

from collections.abc import Callable
from datetime import datetime

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.follower.choice import from_follower
from app.notes import selection
from app.notes.cursor import EPOCH, MICROSECOND, SORT_KEY
from app.notes.selection_form import Selection
from app.notes.service import NoteNotFound
from app.notes.views import LONGEST_RETURN_URL, Answer, bp, list_context, page_url, requested_page, return_url
from app.web.formats import number

UNDO: dict[str, Callable[[int, datetime], int]] = {
    "archive": selection.undo_archive,
    "delete": selection.undo_delete,
}


@bp.get("/select")
@from_follower
def select() -> Answer:
    """The page of the list that the same parameters ask for, with a checkbox for each note. `?all=1` ticks them."""
    return selection_page()


@bp.post("/select")
def change_selected() -> Answer:
    try:
        chosen = Selection(request.form)
    except ValueError:
        abort(422)
    if chosen.error:
        return selection_page(chosen), 422
    back = page_url("notes.index")
    back = back if len(back) <= LONGEST_RETURN_URL else url_for("notes.index")
    flash(*apply(chosen, back))
    return redirect(back)


def selection_page(chosen: Selection | None = None) -> str:
    page, day = requested_page()
    return render_template(
        "notes/select.html",
        **list_context(page, day),
        chosen=chosen,
        all_url=page_url("notes.select", all=1),
        action=page_url("notes.select"),
        are_all=request.args.get("all") == "1",
    )


def apply(chosen: Selection, back: str) -> tuple[str, str]:
    """Do it, and return what is said about it and the category of that message, see _messages.html."""
    user_id, ids = current_user.id, chosen.ids
    if chosen.action == "tag":
        return tagged_sentence(chosen.tag, selection.tag_notes(user_id, ids, chosen.tag)), "message"
    if chosen.action == "archive":
        count, moment = selection.archive_notes(user_id, ids)
        return _("Notes archived: %(count)s.", count=number(count)), undo("archive", moment, back)
    if chosen.action == "delete":
        count, moment = selection.delete_notes(user_id, ids)
        return _("Notes moved to the trash: %(count)s.", count=number(count)), undo("delete", moment, back)
    count = selection.pin_notes(user_id, ids, pinned=chosen.action == "pin")
    if chosen.action == "pin":
        return _("Notes pinned: %(count)s.", count=number(count)), "message"
    return _("Notes unpinned: %(count)s.", count=number(count)), "message"


def tagged_sentence(tag: str, result: selection.Tagged) -> str:
    tagged, full = number(result.tagged), number(result.full)
    if not result.full:
        return str(_("Notes tagged #%(tag)s: %(count)s.", tag=tag, count=tagged))
    sentence = _("Notes tagged #%(tag)s: %(count)s. No room for it in: %(full)s.", tag=tag, count=tagged, full=full)
    return str(sentence)


def undo(action: str, moment: datetime, back: str) -> str:
    """The category that adds a button for undo. The moment stands for the notes: ids would not fit into the cookie."""
    at = (moment - EPOCH) // MICROSECOND
    return f"undo {url_for('notes.undo_selected', of=action, at=at, next=back)}"


@bp.post("/select/undo")
def undo_selected() -> Answer:
    at = request.args.get("at", "")
    if request.args.get("of") not in UNDO or not (at.isascii() and at.isdigit() and len(at) < 19):
        abort(422)
    if int(at) not in SORT_KEY[1]:
        abort(422)
    try:
        count = UNDO[request.args["of"]](current_user.id, EPOCH + int(at) * MICROSECOND)
        flash(_("Notes restored: %(count)s.", count=number(count)))
    except NoteNotFound:  # as when undo is sent twice
        flash(_("Nothing is left to undo."))
    return redirect(return_url(url_for("notes.index")))
