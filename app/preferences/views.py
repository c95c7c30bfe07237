"""What a reader chooses about how pages look: language, colours, keyboard shortcuts. Kept in cookies of the browser.

Whoever is signed in chooses the language for the account, on every device.
"""

from flask import Blueprint, abort, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import service as accounts
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
        accounts.choose_language(current_user.id, chosen["language"])
    response = redirect(local_path(request.form.get("next"), default="/"))
    for name, value in chosen.items():
        keep(response, name, value)
    return response
