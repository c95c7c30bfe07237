"""The English names of the controls, each in one place. `a|b` matches either."""

import re

from tests.browser.keyboard import Control

SIGN_UP = Control("link", "create an account|sign up")
CREATE_ACCOUNT = Control("button", "create an account|sign up")
SEND_LINK = Control("button", "send link")
ASK_AGAIN = Control("link", "request another link")
SIGN_OUT = Control("button", "sign out")
EMAIL = Control("textbox", "email")
NICKNAME = Control("textbox", "nickname")
PASSWORD = Control("textbox", "password", is_password=True)

TITLE = Control("textbox", "title")
TEXT = Control("textbox", "note|text|content")
SAVE = Control("button", "save")
EDIT = Control("link", "edit")
DELETE = Control("button", "move to trash")
UNDO = Control("button", "undo")

TODOS = Control("link", "todos")
NEW_TODO = Control("textbox", "todo|new todo|what")
ADD = Control("button", "add")


def link(name: str) -> Control:
    return Control("link", re.escape(name))


def complete(todo: str) -> Control:
    """Return the button that ticks a todo off."""
    return Control("button", f"complete[: ]+{re.escape(todo)}", is_pressed=False)
