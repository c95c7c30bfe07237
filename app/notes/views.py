"""Show the list of notes, add a note, and select several notes to change all of them."""

import re
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from markupsafe import Markup

from app.follower.follower import from_follower
from app.limits.quotas import QuotaReached
from app.notes import listing, note_views, selection, service
from app.notes.cursor import SORT_KEY, START, microseconds_of, moment_at, parse_cursor
from app.notes.days import OneDay, group_by_day, list_day
from app.notes.figures import list_tags
from app.notes.forms import LONGEST_RETURN_URL, NewNoteForm, Selection, is_tag, return_url
from app.notes.search import Search
from app.notes.search_statements import DEEP, INDEXED
from app.notes.texts import name_and_excerpt
from app.rejection import RowNotFound
from app.web.access import requested
from app.web.answers import Answer, accepted, go_to, refusal
from app.web.errors import wants_json
from app.web.form_recovery import recovers
from app.web.form_tokens import idempotency_key
from app.web.formats import number
from app.web.locale import reader
from app.web.request_size import accepts_long_text
from app.web.templates import constant

PLACE = ("q", "tag", "day")  # the parameters that say which notes the list is of

bp = note_views.bp  # with the pages of one note
bp.add_app_template_filter(name_and_excerpt)


@bp.get("")
@from_follower
def index() -> Answer:
    """Show a page of the list. `?all=1` chooses the notes on it, for those without JavaScript."""
    return list_page()


def list_page(chosen: Selection | None = None) -> str:
    page, day = requested_page()
    context = list_context(page, day, chosen)
    return render_template("notes/index.html", **context, form=new_note_form(page.search))


def requested_page() -> tuple[listing.NotePage, OneDay | None]:
    """Return the page of the list that the parameters ask for, and the day if it is of one."""
    search = Search.parse(request.args.get("q", ""), request.args.get("tag", ""))
    day = requested("day", lambda text: OneDay.parse(text, reader().time_zone))
    after = requested("before", parse_cursor) or START
    if day and search:
        abort(400)  # no page leads there
    size = requested_size()
    if day:
        return list_day(current_user.id, after, day), day
    return listing.list_notes(current_user.id, after, search, size), None


def requested_size() -> int:
    """Return how many notes `?shown=` asks for: a reader comes back to a list that "Show older" has made longer."""
    shown = request.args.get("shown", "")
    if not shown:
        return listing.PAGE_SIZE
    if not re.fullmatch("[0-9]{2,3}", shown) or int(shown) > listing.MOST_SHOWN:
        abort(400)
    return max(int(shown), listing.PAGE_SIZE)


def new_note_form(search: Search) -> NewNoteForm | None:
    """Return a form with the tag in it that the list is of; None: empty, as empty_note_fields() has it."""
    if search.words or not search.tags:
        return None
    return NewNoteForm(formdata=None, content=f"#{' #'.join(search.tags)} ")


@bp.app_template_global()
@constant
def empty_note_fields() -> Markup:
    """Return the fields of a new note before anything is typed, for the list, where they are on every page."""
    return Markup(render_template("notes/new_note.html", form=NewNoteForm(formdata=None)))  # noqa: S704 - our template


@bp.post("")
@accepts_long_text()
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


def list_context(page: listing.NotePage, day: OneDay | None = None, chosen: Selection | None = None) -> dict[str, Any]:
    """Return the variables of the list's templates. `here` is the URL that its buttons return to."""
    query = requested_query()
    place = {name: query[name] for name in PLACE}
    can_be_read_at_once = page.shown and page.shown <= listing.MOST_SHOWN and page.search.is_of_list and not day
    are_all = request.args.get("all") == "1"
    return {
        "chosen": chosen,
        "ticked": chosen.ids if chosen else [note.id for note in page.notes] if are_all else (),
        "day": day.day if day else None,
        "page": page,
        "search": page.search,
        "search_limits": (DEEP, INDEXED),
        "days": list(group_by_day(page)),
        "place": place | {"q": page.search.query} if page.search.mistyped else place,
        "here": url_for("notes.index", **query),
        "select_url": url_for("notes.change_selected", **query),
        "all_url": url_for("notes.index", **query, all=1),
        "list_url": url_for("notes.index", **place, shown=page.shown) if can_be_read_at_once else None,
    }


def requested_query() -> dict[str, Any]:
    """Return what the URL asks of the list. A note that was refused is shown above the newest ones."""
    query = {} if request.endpoint == "notes.create" else request.args.to_dict()
    return {name: query.get(name) or None for name in (*PLACE, "before", "shown")}


@bp.get("/tags")
@from_follower
def tags() -> Answer:
    return render_template("notes/tags.html", tags=list_tags(current_user.id))


@bp.get("/select")
def select() -> Answer:
    """Lead to the list: a refused choice stands at this address, and pages of the previous release link to it."""
    return redirect(url_for("notes.index", **requested_query(), _anchor="results"))


@bp.post("/select")
def change_selected() -> Answer:
    try:
        chosen = Selection(request.form)
    except ValueError:
        abort(422)
    if chosen.error:
        return list_page(chosen), 422
    back = url_for("notes.index", **requested_query())
    back = back if len(back) <= LONGEST_RETURN_URL else url_for("notes.index")
    flash(*apply(chosen, back))
    return redirect(back)


def apply(chosen: Selection, back: str) -> tuple[str, str]:
    """Change the notes, and return a sentence about it and the category of that message, see _messages.html."""
    user_id, ids, action, tag, full, moment = current_user.id, chosen.ids, chosen.action, None, 0, None
    if action == "tag":
        tag = chosen.tag
        count, full, moment = selection.tag_notes(user_id, ids, tag)
    elif action in selection.UNDONE:
        count, moment = selection.put_away(user_id, ids, action)
    else:
        count = selection.pin_notes(user_id, ids, pinned=action == "pin")
    sentences = {
        "archive": ngettext("%(num)s note archived.", "%(num)s notes archived.", count),
        "delete": ngettext("%(num)s note moved to the trash.", "%(num)s notes moved to the trash.", count),
        "pin": ngettext("%(num)s note pinned.", "%(num)s notes pinned.", count),
        "unpin": ngettext("%(num)s note unpinned.", "%(num)s notes unpinned.", count),
        "tag": ngettext("%(num)s note tagged #%(tag)s.", "%(num)s notes tagged #%(tag)s.", count, tag=tag),
    }
    sentence = sentences[action]
    if full:
        sentence += " " + ngettext("%(num)s note is too full for it.", "%(num)s notes are too full for it.", full)
    if moment is None:
        return sentence, "message"
    # A button for undo. The moment stands for the notes: the cookie cannot hold their ids.
    undo = url_for("notes.undo_selected", of=action, tag=tag, at=microseconds_of(moment), next=back)
    return sentence, f"undo {undo}"


@bp.post("/select/undo")
def undo_selected() -> Answer:
    of, at, tag = (request.args.get(name, "") for name in ("of", "at", "tag"))
    is_known = of in selection.UNDONE and (of != "tag" or is_tag(tag))
    if not is_known or not re.fullmatch("[0-9]{1,18}", at) or int(at) not in SORT_KEY[1]:
        abort(422)
    try:
        count = selection.undo(current_user.id, of, moment_at(int(at)), tag)
        untagged = ngettext(
            "#%(tag)s removed from %(num)s note.", "#%(tag)s removed from %(num)s notes.", count, tag=tag
        )
        restored = ngettext("%(num)s note restored.", "%(num)s notes restored.", count)
        flash(untagged if of == "tag" else restored)
    except RowNotFound:  # as when undo is sent twice
        flash(_("Nothing is left to undo."))
    return redirect(return_url(url_for("notes.index")))
