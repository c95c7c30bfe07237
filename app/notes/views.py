"""The pages of notes: list, create, read, edit, trash."""

import re
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.follower.choice import from_follower
from app.keyset import Cursor
from app.limits.quotas import QuotaReached
from app.notes import listing, markdown, service, sharing
from app.notes.cursor import START, parse_cursor
from app.notes.days import group_by_day
from app.notes.excerpts import name_and_excerpt
from app.notes.forms import NewNoteForm
from app.notes.one_day import OneDay, list_day
from app.notes.search import Search
from app.web.access import local_path
from app.web.answers import go_to, refusal
from app.web.drafts import accepted
from app.web.errors import show_error, wants_json
from app.web.form_recovery import recovers
from app.web.form_tokens import idempotency_key
from app.web.formats import number
from app.web.locale import reader
from app.web.template_folding import constant

bp = Blueprint("notes", __name__, url_prefix="/notes")
bp.add_app_template_filter(name_and_excerpt)

LONGEST_RETURN_URL = 600  # characters, so that it fits into the session cookie together with a message

Answer = str | Response | tuple[str, int]


@bp.errorhandler(service.NoteNotFound)
def note_not_found(error: service.NoteNotFound) -> Response:
    return show_error(NotFound())


@bp.get("")
@from_follower
def index() -> Answer:
    page, day = requested_page()
    return render_template("notes/index.html", **list_context(page, day), form=new_note_form(page.search))


def requested_page() -> tuple[listing.NotePage, OneDay | None]:
    """The page of the list that the parameters ask for, and the day if it is of one."""
    search = Search.parse(request.args.get("q", ""), request.args.get("tag", ""))
    day, after = requested_day(), requested_cursor()
    if day and search:
        abort(400)  # no page leads there
    size = requested_size()
    if day:
        return list_day(current_user.id, after, day), day
    return listing.list_notes(current_user.id, after, search, size), None


def new_note_form(search: Search) -> NewNoteForm | None:
    """With the tag in it that the list is of; None: empty, as empty_note_fields() has it."""
    if search.words or not search.tags:
        return None
    return NewNoteForm(formdata=None, content=f"#{' #'.join(search.tags)} ")


@bp.app_template_global()
@constant
def empty_note_fields() -> Markup:
    """The fields of a new note before anything is typed, for the list, where they are on every page."""
    return Markup(render_template("notes/new_note.html", form=NewNoteForm(formdata=None)))  # noqa: S704 - our template


@bp.post("")
@recovers("title", "content")
def create() -> Answer:
    form = NewNoteForm()
    if not form.validate():
        return refused(form)
    try:
        note_id = service.create_note(current_user.id, form.title.data, form.content.data, idempotency_key())
    except QuotaReached as error:
        form.content.errors = [
            _("You've reached the limit of %(most)s notes. Delete some and empty the trash.", most=number(error.most))
        ]
        return refused(form)
    note = url_for("notes.show", note_id=note_id)
    if not wants_json():
        flash(_("Saved."), f"open {note}")  # _messages.html makes it a link
    back = url_for("notes.index", tag=request.args.get("tag") or None, _anchor="new-note")  # to the view of a tag
    return accepted(go_to(back, open=note), "notes.new")


def refused(form: NewNoteForm) -> Answer:
    if wants_json():
        return refusal(form)
    page = listing.list_notes(current_user.id)
    return render_template("notes/index.html", **list_context(page), form=form), 422


def requested_cursor() -> Cursor:
    """Where the page that `?before=` asks for starts; 400 when it is not a cursor of this list."""
    before = request.args.get("before")
    try:
        return START if before is None else parse_cursor(before)
    except ValueError:
        abort(400)


def requested_size() -> int:
    """How many notes `?shown=` asks for: a reader comes back to a list that "Show older" has made longer."""
    shown = request.args.get("shown", "")
    if not shown:
        return listing.PAGE_SIZE
    if not re.fullmatch("[0-9]{2,3}", shown) or int(shown) > listing.MOST_SHOWN:
        abort(400)
    return max(int(shown), listing.PAGE_SIZE)


def requested_day() -> OneDay | None:
    """The day that `?day=` asks for, where the reader is; 400 when it is none."""
    day = request.args.get("day")
    try:
        return None if day is None else OneDay.parse(day, reader().time_zone)
    except ValueError:
        abort(400)


def list_context(page: listing.NotePage, day: OneDay | None = None) -> dict[str, Any]:
    """The variables of the list's templates. `here` is the URL that its buttons return to."""
    place = requested_place()
    can_be_read_at_once = page.shown and page.shown <= listing.MOST_SHOWN and not (day or page.search.words)
    return {
        "day": day.day if day else None,
        "page": page,
        "search": page.search,
        "days": list(group_by_day(page)),
        "place": place | {"q": page.search.query} if page.search.mistyped else place,
        "here": page_url("notes.index"),
        "select_url": page_url("notes.select"),
        "list_url": url_for("notes.index", **place, shown=page.shown) if can_be_read_at_once else None,
    }


def requested_place() -> dict[str, Any]:
    """What the list is of. A note that was refused is shown above the newest ones."""
    query = {} if request.endpoint == "notes.create" else request.args
    return {name: query.get(name) or None for name in ("q", "tag", "day")}


def page_url(endpoint: str, **more: Any) -> str:
    """The URL of this page of the list, or of the one where its notes can be selected."""
    query = {} if request.endpoint == "notes.create" else request.args
    return url_for(endpoint, **requested_place(), before=query.get("before"), shown=query.get("shown"), **more)


@bp.get("/<id:note_id>")
@from_follower
def show(note_id: int) -> Answer:
    """200 for a note in the archive or the trash too: it is there to be read until it is deleted for good."""
    note = service.get_note_or_deleted(current_user.id, note_id)
    html = markdown.render(note.content, tags_at=url_for("notes.index", tag=""), can_tick=not note.deleted_at)
    template = "deleted" if note.deleted_at else "show"
    home = "notes.trash" if note.deleted_at else "notes.archived" if note.archived_at else "notes.index"
    return render_template(f"notes/{template}.html", note=note, html=html, back=return_url(url_for(home)))


@bp.post("/<id:note_id>/pin")
def pin(note_id: int) -> Answer:
    if request.values.get("pinned") not in ("0", "1"):
        abort(422)
    service.pin_note(current_user.id, note_id, pinned=request.values["pinned"] == "1")
    return redirect(f"{return_url(url_for('notes.index'))}#note-{note_id}")  # it may stand elsewhere in the list now


@bp.post("/<id:note_id>/delete")
def delete(note_id: int) -> Answer:
    name = service.delete_note(current_user.id, note_id)
    back = return_url(url_for("notes.index"))
    undo = url_for("notes.restore", note_id=note_id, next=back)
    sentence = _("Moved “%(name)s” to the trash.", name=name)
    if sharing.is_shared(current_user.id, note_id):
        sentence = _("Moved “%(name)s” to the trash. Its link doesn't work while it's there.", name=name)
    flash(sentence, f"undo {undo}")  # _messages.html makes it a button
    return redirect(back)


def return_url(default: str) -> str:
    """The page to return to, from the field or parameter `next`. Only local paths: no open redirect."""
    back = local_path(request.values.get("next"), default)
    return back if len(back) <= LONGEST_RETURN_URL else default
