"""An installed notebook: the web app manifest, and the page that app/static/sw.js shows where there is no network."""

from collections.abc import Callable
from typing import cast

from flask import Blueprint, Response, current_app, json, render_template, url_for
from flask_babel import gettext as _

from app.web.access import public
from app.web.errors import settle_reader
from app.web.locale import reader_locale

manifest = Blueprint("manifest", __name__)
offline = Blueprint("offline", __name__)

# iPhones take them too (WebKit since 15.4), so no page names one of its own.
ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512"}  # opaque to the edge, hence maskable


@manifest.get("/manifest.webmanifest", endpoint="manifest")
@public
def show_manifest() -> Response:
    static_url = cast(Callable[[str], str], current_app.jinja_env.globals["static_url"])
    icons = [{"src": static_url(name), "sizes": sizes, "purpose": "any maskable"} for name, sizes in ICONS.items()]
    content = {
        "name": _("Semicircle"),
        "lang": reader_locale(),
        "id": "/",
        "start_url": url_for("notes.index"),
        "display": "standalone",
        "background_color": "#f1f5f3",
        "theme_color": "#f1f5f3",
        "icons": icons,
    }
    return Response(json.dumps(content), mimetype="application/manifest+json")


@offline.get("/offline", endpoint="offline")
@public
def show_offline() -> str:
    """Show the same page to everybody, but for language and colours: it is kept in the browser."""
    settle_reader()
    return render_template(
        "errors/error.html",
        title=_("You're offline"),
        advice=_(
            "Nothing was changed. You can still read what you opened last, and everything else once you're back online."
        ),
    )
