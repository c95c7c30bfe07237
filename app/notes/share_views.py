"""Share a note by a secret link, in the blueprint of notes; and the page behind the link, for anybody who has it."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.follower.choice import from_follower
from app.keyset import Cursor
from app.notes import markdown, service, sharing
from app.notes.views import Answer, bp
from app.web.access import public
from app.web.errors import SENTENCES, error_response, settle_reader
from app.web.headers import send_no_referrer

links = Blueprint("shared_notes", __name__)


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
    before = request.args.get("before")
    try:
        after = sharing.START if before is None else Cursor.parse(before, sharing.KEY_BOUNDS)
    except ValueError:
        abort(400)
    return render_template("notes/list_shared.html", page=sharing.list_shared(current_user.id, after))


@links.get("/s/<token>")
@public
def show(token: str) -> Answer:
    """The same for everybody, its owner too: nobody looks who reads it."""
    settle_reader()
    note = sharing.get_shared_note(token)
    html = markdown.render(note.content, tags_at=None)
    page = render_template("notes/shared.html", note=note, html=html)
    send_no_referrer()
    return page


@links.errorhandler(service.NoteNotFound)
def link_ended(error: service.NoteNotFound) -> Response:
    advice = _("It may not be shared anymore, or the address may have a typo.")
    return error_response(NotFound(), SENTENCES[404][0], advice)
