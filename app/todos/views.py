"""Show the list of todos, and search it; add, complete, edit, move, delete and restore them."""

import re
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, flash, get_flashed_messages, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from markupsafe import Markup, escape
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response

from app.follower.follower import from_follower
from app.limits.quotas import QuotaReached
from app.search_words import words_of
from app.todos import listing, service
from app.todos.forms import COMPLETED, ChangeTodoForm, Place, TodoForm, requested_place, return_to
from app.todos.models import EARLIEST, LATEST
from app.web.answers import Answer, refusal
from app.web.errors import show_error, wants_json
from app.web.form_recovery import recovers
from app.web.form_tokens import idempotency_key
from app.web.formats import number
from app.web.locale import today
from app.web_addresses import REL, addresses_in

bp = Blueprint("todos", __name__, url_prefix="/todos")

DAYS = (EARLIEST, LATEST)  # on which a todo may be due
TODO_ID = re.compile("[0-9]{1,18}")
REOPENING = re.compile(r"undo \S+/reopen\b")  # the category of a message
LINK = Markup(f'<a href="{{}}" rel="{REL}">{{}}</a>')  # noqa: S704 - of a constant
DIRECTIONS = {"up": True, "down": False}
SHOWN = 60  # code points of a description in a message, which has to fit into the session cookie
ADDED = "todo_added"  # in the session: the next page puts the focus into the field for a new todo


@bp.errorhandler(service.TooFar)
def too_far(error: service.TooFar) -> Response:
    return show_error(UnprocessableEntity())


@bp.get("")
@from_follower
def index() -> Answer:
    edit = request.args.get("edit", "")  # the id of a todo to edit within the list; what is not on the page is ignored
    return list_page(requested_place(), TodoForm(), edited=int(edit) if TODO_ID.fullmatch(edit) else None)


@bp.post("")
@recovers("description")
def create() -> Answer:
    place = requested_place()
    form = TodoForm()
    if not form.validate():
        return refused(place, form)
    try:
        service.create_todo(current_user.id, form.description.data, form.due, idempotency_key())
    except QuotaReached as error:
        most = number(error.most)
        sentence = _(
            "You've reached the limit of %(most)s todos. Delete some, and there's room after a day.", most=most
        )
        form.description.errors = [sentence]
        return refused(place, form)
    if not wants_json():  # a script keeps the focus where it is
        session[ADDED] = True
    return return_to(place)


def refused(place: Place, form: TodoForm) -> Answer:
    return refusal(form) if wants_json() else (list_page(place, form), 422)


@bp.route("/<id:todo_id>", methods=["GET", "POST"])
@recovers("description")
def change(todo_id: int) -> Answer:
    """Save an edit. The list has its own editor; this page shows a refused edit, or the stored todo when reloaded."""
    place = requested_place()
    if request.method == "GET":
        todo = service.get_todo(current_user.id, todo_id)
        return edit_page(place, todo, ChangeTodoForm(obj=todo))
    form = ChangeTodoForm()
    if not form.validate():
        todo = service.get_todo(current_user.id, todo_id)  # another user's todo is 404 rather than 422
        if wants_json():
            return refusal(form)
        form.description.data = form.description.data or todo.description
        if not form.due_on.raw_data:
            form.due_on.data = todo.due_on
        return edit_page(place, todo, form), 422
    changes = form.changes()
    description = service.change_todo(current_user.id, todo_id, **changes)
    if "completed" in changes:
        drop_offers_to_reopen()
    if changes.get("completed"):
        name = for_message(description)
        flash(_("“%(todo)s” completed.", todo=name), f"undo {url_for('todos.reopen', todo_id=todo_id, **place)}")
    return return_to(place)


@bp.post("/<id:todo_id>/reopen")
def reopen(todo_id: int) -> Answer:
    """Undo the completing of a todo. Does nothing to one that is open."""
    place = requested_place()
    todo = for_message(service.change_todo(current_user.id, todo_id, completed=False))
    flash(_("“%(todo)s” reopened.", todo=todo))
    return return_to(place)


def drop_offers_to_reopen() -> None:
    """Forget messages of earlier ticks that no page has shown: the cookie has no room for those of a day offline."""
    pending: Any = get_flashed_messages(with_categories=True)
    for category, message in pending:
        if not REOPENING.match(category):
            flash(message, category)


@bp.post("/<id:todo_id>/move")
def move(todo_id: int) -> Answer:
    """Move a todo one place up or down by a button, or drag it to the place of another."""
    place = requested_place()
    completed = COMPLETED[place["show"]]
    onto = request.form.get("onto", "")
    up = DIRECTIONS.get(request.form.get("direction", ""))
    if TODO_ID.fullmatch(onto):
        lowest = service.place_todo(current_user.id, todo_id, int(onto), completed=completed)
    elif up is not None:
        lowest = service.move_todo(current_user.id, todo_id, up=up, completed=completed)
    else:
        abort(422)
    if place["before"] and not place["sort"]:
        place["before"] = service.cursor_after_move(place["before"], lowest)
    return return_to(place, anchor=f"todo-{todo_id}")


@bp.post("/<id:todo_id>/delete")
def delete(todo_id: int) -> Answer:
    place = requested_place()
    todo = for_message(service.delete_todo(current_user.id, todo_id))
    flash(_("“%(todo)s” deleted.", todo=todo), f"undo {url_for('todos.restore', todo_id=todo_id, **place)}")
    return return_to(place)


@bp.post("/<id:todo_id>/restore")
def restore(todo_id: int) -> Answer:
    place = requested_place()
    todo = for_message(service.restore_todo(current_user.id, todo_id))
    flash(_("“%(todo)s” is back.", todo=todo))
    return return_to(place)


@bp.post("/clear-completed")
def clear_completed() -> Answer:
    place = requested_place()
    moment, count = service.clear_completed(current_user.id)
    if count:
        sentence = ngettext(
            "%(count)s completed todo deleted.", "%(count)s completed todos deleted.", count, count=number(count)
        )
        flash(sentence, f"undo {url_for('todos.restore_cleared', moment=moment, **place)}")
    return return_to(place)


@bp.post("/clear-completed/<id:moment>/undo")
def restore_cleared(moment: int) -> Answer:
    place = requested_place()
    service.restore_cleared(current_user.id, moment)
    flash(_("Completed todos are back."))
    return return_to(place)


def list_page(place: Place, form: TodoForm, edited: int | None = None) -> str:
    after, completed = place["before"] or listing.START, COMPLETED[place["show"]]
    if place["show"] == "today":
        page = listing.list_due(current_user.id, today(), after)
        form.named_day.data = form.named_day.data or today()
    elif place["q"]:  # what is open and due first stands above, what is done below
        page = listing.list_todos(current_user.id, after, sort="due", words=words_of(place["q"]), today=today())
    else:
        page = listing.list_todos(current_user.id, after, completed=completed, sort=place["sort"], today=today())
    has_done_below = page.done and place["show"] in (None, "open") and not (place["before"] or place["q"])
    done = listing.list_latest_done(current_user.id) if has_done_below else []
    todo = next((todo for todo in [*page.todos, *done] if todo.id == edited), None)
    editor = ChangeTodoForm(obj=todo, formdata=None) if todo else None
    return render_template(
        "todos/index.html", form=form, editor=editor, page=page, done=done, place=place, days=DAYS,
        today=today(), due_choices=due_choices(today()), edited=edited, added=session.pop(ADDED, False),
    )  # fmt: skip


def edit_page(place: Place, todo: service.TodoRow, form: ChangeTodoForm) -> str:
    return render_template("todos/edit.html", form=form, todo=todo, place=place, days=DAYS)


@bp.app_template_filter()
def linked(description: str) -> str:
    """Return a description with links for its web addresses, as HTML (Markup); without any of them as it was."""
    pieces: list[Markup] = []
    done = 0
    for start, end, url in addresses_in(description):
        pieces += escape(description[done:start]), LINK.format(url, description[start:end])
        done = end
    return Markup("").join([*pieces, escape(description[done:])]) if pieces else description


def due_choices(first: date) -> list[tuple[date, str]]:
    """Return the days that a new todo is offered by name, from today on.

    The next week begins on its Monday (ISO 8601), which on a Sunday is offered as tomorrow.
    """
    tomorrow, monday = first + timedelta(days=1), first + timedelta(days=7 - first.weekday())
    choices = [(first, _("Today")), (tomorrow, _("Tomorrow"))]
    return choices if monday == tomorrow else [*choices, (monday, _("Next week"))]


def for_message(description: str) -> str:
    """Return the beginning of a description, in bidi isolates: right-to-left text does not reorder the sentence."""
    shown = description if len(description) <= SHOWN else f"{description[: SHOWN - 1].rstrip()}…"
    return f"\u2068{shown}\u2069"
