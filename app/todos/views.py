"""The page of todos: list, write, complete, edit, delete."""

from typing import TypedDict

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.todos import service
from app.todos.forms import ChangeTodoForm, TodoForm
from app.web.errors import show_error

bp = Blueprint("todos", __name__, url_prefix="/todos")

Answer = str | Response | tuple[str, int]

COMPLETED = {None: None, "open": False, "done": True}  # what `?show=` asks for


class Place(TypedDict):
    """The part of the list that is on the screen. Every form carries it in its address, and leads back to it."""

    show: str | None
    before: service.Cursor | None


@bp.errorhandler(service.TodoNotFound)
def todo_not_found(error: service.TodoNotFound) -> Response:
    return show_error(NotFound())


@bp.get("")
def index() -> Answer:
    return list_page(asked_place(), TodoForm())


@bp.post("")
def create() -> Answer:
    place = asked_place()
    form = TodoForm()
    if not form.validate():
        return list_page(place, form), 422
    service.create_todo(current_user.id, form.description.data)
    return back_to(place)


@bp.post("/<id:todo_id>")
def change(todo_id: int) -> Answer:
    place = asked_place()
    form = ChangeTodoForm()
    if not form.validate():
        todo = service.get_todo(current_user.id, todo_id)  # somebody else's is 404 before anything else is said
        return render_template("todos/edit.html", form=form, todo=todo, place=place), 422
    service.change_todo(current_user.id, todo_id, **form.changes())
    return back_to(place)


@bp.post("/<id:todo_id>/delete")
def delete(todo_id: int) -> Answer:
    place = asked_place()
    service.delete_todo(current_user.id, todo_id)
    flash(_("The todo is deleted."))
    return back_to(place)


@bp.post("/clear-completed")
def clear_completed() -> Answer:
    place = asked_place()
    service.clear_completed(current_user.id)
    flash(_("The done todos are deleted."))
    return back_to(place)


def asked_place() -> Place:
    """What `?show=` and `?before=` ask for; 400 when it is nothing of ours, before anything is stored."""
    show, before = request.args.get("show"), request.args.get("before")
    if show not in COMPLETED:
        abort(400)
    try:
        return {"show": show, "before": service.Cursor.parse(before) if before is not None else None}
    except ValueError:
        abort(400)


def list_page(place: Place, form: TodoForm) -> str:
    completed = COMPLETED[place["show"]]
    page = service.list_todos(current_user.id, place["before"] or service.START, completed=completed)
    return render_template("todos/index.html", form=form, page=page, place=place)


def back_to(place: Place) -> Response:
    return redirect(url_for("todos.index", **place))
