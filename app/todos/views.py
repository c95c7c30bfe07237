"""The page of todos: list, create, complete, edit, move, delete, restore."""

import re
from typing import TypedDict

from flask import Blueprint, abort, flash, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.keyset import Cursor
from app.quotas import QuotaReached
from app.todos import listing, order, service
from app.todos.forms import ChangeTodoForm, TodoForm
from app.todos.models import EARLIEST, LATEST
from app.todos.sentences import due, for_message
from app.web.answers import go_to, refusal
from app.web.errors import show_error, wants_json
from app.web.form_recovery import recovers
from app.web.form_tokens import idempotency_key
from app.web.formats import number
from app.web.locale import today

bp = Blueprint("todos", __name__, url_prefix="/todos")
bp.add_app_template_filter(due)

Answer = str | Response | tuple[str, int]

COMPLETED = {None: None, "open": False, "done": True}  # what `?show=` asks for
SORTS = (None, "due")
DAYS = (EARLIEST, LATEST)  # on which a todo may be due
DIRECTIONS = {"up": True, "down": False}
ADDED = "todo_added"  # in the session: the next page puts the focus into the field for a new todo


class Place(TypedDict):
    """The part of the list on the screen: filter, order, page. Every form has it in its URL and returns to it."""

    show: str | None
    sort: str | None
    before: Cursor | None


@bp.errorhandler(service.TodoNotFound)
def todo_not_found(error: service.TodoNotFound) -> Response:
    return show_error(NotFound())


@bp.get("")
def index() -> Answer:
    return list_page(requested_place(), TodoForm(), edited=requested_edit())


@bp.post("")
@recovers("description")
def create() -> Answer:
    place = requested_place()
    form = TodoForm()
    if not form.validate():
        return refused(place, form)
    try:
        service.create_todo(current_user.id, form.description.data, form.due_on.data, idempotency_key())
    except QuotaReached as error:
        form.description.errors = [
            _(
                "You keep %(most)s todos, and no more fit. Delete some; there is room a day later.",
                most=number(error.most),
            )
        ]
        return refused(place, form)
    if not wants_json():  # a script keeps the focus where it is
        session[ADDED] = True
    return redirect_to(place)


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
    service.change_todo(current_user.id, todo_id, **form.changes())
    return redirect_to(place)


@bp.post("/<id:todo_id>/move")
def move(todo_id: int) -> Answer:
    place = requested_place()
    up = DIRECTIONS.get(request.form.get("direction", ""))
    if up is None:
        abort(422)
    lowest = order.move_todo(current_user.id, todo_id, up=up, completed=COMPLETED[place["show"]])
    if place["before"] and not place["sort"]:
        place["before"] = order.cursor_after_move(place["before"], lowest)
    return redirect_to(place, anchor=f"todo-{todo_id}")


@bp.post("/<id:todo_id>/delete")
def delete(todo_id: int) -> Answer:
    place = requested_place()
    todo = for_message(service.delete_todo(current_user.id, todo_id))
    flash_undo(_("“%(todo)s” is deleted.", todo=todo), url_for("todos.restore", todo_id=todo_id, **place))
    return redirect_to(place)


@bp.post("/<id:todo_id>/restore")
def restore(todo_id: int) -> Answer:
    place = requested_place()
    todo = for_message(service.restore_todo(current_user.id, todo_id))
    flash(_("“%(todo)s” is back.", todo=todo))
    return redirect_to(place)


@bp.post("/clear-completed")
def clear_completed() -> Answer:
    place = requested_place()
    moment = service.clear_completed(current_user.id)
    if moment is not None:
        flash_undo(_("The done todos are deleted."), url_for("todos.restore_cleared", moment=moment, **place))
    return redirect_to(place)


@bp.post("/clear-completed/<id:moment>/undo")
def restore_cleared(moment: int) -> Answer:
    place = requested_place()
    service.restore_cleared(current_user.id, moment)
    flash(_("The done todos are back."))
    return redirect_to(place)


def flash_undo(sentence: str, address: str) -> None:
    flash(sentence, f"undo {address}")


def requested_place() -> Place:
    """The place of `?show=`, `?sort=` and `?before=`; 400 for any other value, before anything is stored."""
    show, sort, before = (request.args.get(name) for name in ("show", "sort", "before"))
    if show not in COMPLETED or sort not in SORTS:
        abort(400)
    try:
        cursor = None if before is None else Cursor.parse(before, listing.KEY_BOUNDS)
    except ValueError:
        abort(400)
    return {"show": show, "sort": sort, "before": cursor}


def requested_edit() -> int | None:
    """The id of `?edit=`, the todo to edit within the list. Anything that is not on the page is ignored."""
    todo_id = request.args.get("edit", "")
    return int(todo_id) if re.fullmatch("[0-9]{1,19}", todo_id) else None


def list_page(place: Place, form: TodoForm, edited: int | None = None) -> str:
    completed = COMPLETED[place["show"]]
    page = listing.list_todos(
        current_user.id, place["before"] or listing.START, completed=completed, sort=place["sort"]
    )
    todo = next((todo for todo in page.todos if todo.id == edited), None)
    editor = ChangeTodoForm(obj=todo, formdata=None) if todo else None
    return render_template(
        "todos/index.html", form=form, editor=editor, page=page, place=place, days=DAYS,
        today=today(), edited=edited, added=session.pop(ADDED, False),
    )  # fmt: skip


def edit_page(place: Place, todo: service.TodoRow, form: ChangeTodoForm) -> str:
    return render_template("todos/edit.html", form=form, todo=todo, place=place, days=DAYS)


def redirect_to(place: Place, anchor: str | None = None) -> Response:
    return go_to(url_for("todos.index", **place, _anchor=anchor))
