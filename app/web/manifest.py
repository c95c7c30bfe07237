"""The web app manifest: with it a browser installs the notebook as an application."""

from collections.abc import Callable
from typing import cast

from flask import Blueprint, Response, current_app, json, url_for
from flask_babel import gettext as _

from app.web.access import public
from app.web.locale import reader_locale

bp = Blueprint("manifest", __name__)

# iPhones take them too (WebKit since 15.4), so no page names one of its own.
ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512"}  # opaque to the edge, hence maskable


@bp.get("/manifest.webmanifest")
@public
def manifest() -> Response:
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
