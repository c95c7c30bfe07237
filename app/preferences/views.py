"""Preferences in cookies of the browser: language, colours, keyboard shortcuts.

A signed-in reader chooses the language for the account, so on every device.
"""

from flask import Blueprint, abort, redirect, render_template, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import profile
from app.web.access import local_path, public
from app.web.cookies import keep

bp = Blueprint("preferences", __name__)

CHOICES = {"language": ("ko", "en"), "theme": ("auto", "light", "dark"), "shortcuts": ("on", "off")}


@bp.post("/preferences")
@public
def choose() -> Response:
    chosen = {name: request.form[name] for name in CHOICES if name in request.form}
    if not chosen or any(value not in CHOICES[name] for name, value in chosen.items()):
        abort(422)
    if "language" in chosen and current_user.is_authenticated:
        profile.change_language(current_user.id, chosen["language"])
    response = redirect(local_path(request.form.get("next"), default="/"))
    for name, value in chosen.items():
        keep(response, name, value)
    return response


@bp.get("/preferences/shortcuts")
def shortcuts() -> str:
    """The list of keyboard shortcuts, a part for any page. Few open it, so no page carries it."""
    back = local_path(request.args.get("next"), default="/")
    on = request.cookies.get("shortcuts") != "off"
    return render_template("preferences/shortcuts.html", on=on, back=back)
