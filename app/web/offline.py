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
        title=_("You're offline"),
        advice=_(
            "Nothing was changed. You can still read what you opened last, and everything else once you're back online."
        ),
    )
