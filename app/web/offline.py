"""The page that the service worker (app/static/sw.js) shows where it has neither network nor page."""

from flask import Blueprint, render_template
from flask_babel import gettext as _

from app.web.access import public
from app.web.errors import settle_reader

bp = Blueprint("offline", __name__)


@bp.get("/offline")
@public
def offline() -> str:
    """The same for everybody, but for language and colours: it is kept in the browser."""
    settle_reader()
    return render_template(
        "errors/error.html",
        title=_("There is no network"),
        advice=_("Nothing was changed. What you read last can be read again here, all else when the network is back."),
    )
