"""/todos: the list in its order or by due date, and its search; create, change, move, delete, restore."""

from datetime import date, datetime
from typing import Any, Literal

from flask import url_for
from flask_babel import gettext as _
from pydantic import Field
from werkzeug.wrappers import Response

from app.api.document import NEXT, Answer, caller, created, operation
from app.api.messages import checked, cursor_of, key_of, page, wrong_value
from app.copies import Changes, answer_changes, answer_row, hold
from app.schemas import Body, Id, IdempotencyKey, IfMatch, IfNoneMatch, Page, Since
from app.search_words import words_of
from app.todos import listing, service
from app.todos.forms import ChangeTodoForm, TodoForm
from app.todos.models import DESCRIPTION_LENGTH
from app.todos.models import Todo as Model

DESCRIPTION: Any = Field(
    json_schema_extra={"minLength": 1, "maxLength": DESCRIPTION_LENGTH}, examples=["Call the dentist"]
)
DUE_ON = Field(None, description="from 2000-01-01 to 2100-12-31", examples=["2026-12-01"])


class Todo(Answer):
    id: int
    description: str
    due_on: date | None
    completed: bool
    position: int = Field(description="in your own order: the highest stands on top, and of equal ones the highest id")
    version: int = Field(description="each change adds one; the ETag of the todo is this in quotes")
    created_at: datetime
    updated_at: datetime = Field(description="when anything of it changed last")
    completed_at: datetime | None
    deleted_at: datetime | None = Field(description="can be restored for a day since then")


class TodoChanges(Answer, Changes):
    todos: list[Todo] = Field(description="as they are now, also those that can be restored")


class TodoPage(Answer):
    todos: list[Todo]
    next: str | None = NEXT


class AddedTodo(Body):
    description: str = DESCRIPTION
    due_on: date | None = DUE_ON


class ChangedTodo(Body):
    """Fields that are left out stay as they are."""

    description: str = Field("", json_schema_extra=DESCRIPTION.json_schema_extra)
    due_on: date | None = DUE_ON
    completed: bool = Field(False, examples=[True])


class Move(Body):
    """Either one place up or down, or to the place of another todo at most 100 places away."""

    direction: Literal["up", "down"] | None = Field(None, examples=["up"])
    onto: Id | None = Field(None, description="the id of the todo that stands there now")


class TodoQuery(Page):
    q: str = Field("", description="words that all occur, or initial consonants of Hangul")
    completed: bool | None = Field(None, description="the done ones alone, or the open ones")
    sort: Literal["due"] | None = Field(None, description="by due date; without it in your own order")


@operation("GET", "/todos", "todos:read", TodoPage)
def list_todos(query: TodoQuery) -> Response:
    """List todos, 50 a page"""
    after = cursor_of(query, listing.KEY_BOUNDS)
    words = words_of(query.q)
    found = listing.list_todos(caller().id, after, completed=query.completed, sort=query.sort, words=words, whole=True)
    return page("todos", [as_json(todo) for todo in found.todos], found.older)


@operation("POST", "/todos", "todos:write", Todo, 201, may=[410], tells=["ETag", "Location"])
def create_todo(body: AddedTodo, headers: IdempotencyKey) -> Response:
    """Create a todo, on top of the list"""
    form = checked(TodoForm, body.model_dump(mode="json"))
    todo_id = service.create_todo(caller().id, form.description.data, form.due, key_of(headers))
    with created():
        todo = as_json(service.get_todo(caller().id, todo_id, or_deleted=True))  # it came before, with this key
    return answer_row(todo, 201, Location=url_for("api.show_todo", todo_id=todo_id))


@operation("GET", "/todos/changes", "todos:read", TodoChanges, may=[410])
def list_todo_changes(query: Since) -> Response:
    """List what changed since you asked last, the oldest change first; at first all todos, 100 a page"""
    return answer_changes(query, service.FEED, "todos", Todo.model_fields)


@operation("GET", "/todos/<id:todo_id>", "todos:read", Todo, may=[404], tells=["ETag"])
def show_todo(todo_id: int, headers: IfNoneMatch) -> Response:
    """Read a todo"""
    return whole(todo_id, headers)


@operation("PATCH", "/todos/<id:todo_id>", "todos:write", Todo, may=[404], tells=["ETag"])
def change_todo(todo_id: int, body: ChangedTodo, headers: IfMatch) -> Response:
    """Change a todo: its text, its due date, whether it is done"""
    held(todo_id, headers)
    sent = body.model_dump(mode="json", exclude_unset=True)
    if "completed" in sent:
        sent["completed"] = str(int(sent["completed"]))  # as the buttons of the page send it
    fields = {"description": service.get_todo(caller().id, todo_id).description, **sent}  # which the form asks for
    changes = checked(ChangeTodoForm, {name: value or "" for name, value in fields.items()}).changes()
    if "description" not in sent:
        del changes["description"]
    if changes:
        service.change_todo(caller().id, todo_id, **changes)
    return whole(todo_id)


@operation("POST", "/todos/<id:todo_id>/move", "todos:write", may=[404])
def move_todo(todo_id: int, body: Move, headers: IfMatch) -> None:
    """Move a todo in your own order"""
    held(todo_id, headers)
    if (body.direction is None) == (body.onto is None):
        raise wrong_value("#", _("Send either direction or onto."))
    try:
        if body.onto:
            service.place_todo(caller().id, todo_id, body.onto)
        else:
            service.move_todo(caller().id, todo_id, up=body.direction == "up")
    except service.TooFar as error:
        raise wrong_value("#/onto", _("That is more than 100 places away. Move it in steps.")) from error


@operation("DELETE", "/todos/<id:todo_id>", "todos:write", may=[404])
def delete_todo(todo_id: int, headers: IfMatch) -> None:
    """Delete a todo; it can be restored for a day"""
    held(todo_id, headers)
    service.delete_todo(caller().id, todo_id)


@operation("POST", "/todos/<id:todo_id>/restore", "todos:write", Todo, may=[404], tells=["ETag"])
def restore_todo(todo_id: int, headers: IfMatch) -> Response:
    """Restore a deleted todo"""
    held(todo_id, headers)
    service.restore_todo(caller().id, todo_id)
    return whole(todo_id)


def whole(todo_id: int, headers: IfNoneMatch | None = None) -> Response:
    return answer_row(as_json(service.get_todo(caller().id, todo_id)), headers=headers)


def held(todo_id: int, headers: IfMatch) -> None:
    hold(Model, todo_id, headers, lambda: as_json(service.get_todo(caller().id, todo_id, or_deleted=True)))


def as_json(todo: service.TodoRow) -> dict[str, Any]:
    return {name: getattr(todo, name) for name in Todo.model_fields}
