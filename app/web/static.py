"""Static files and the installed notebook: the web app manifest, and the page that sw.js shows where no network is.

WhiteNoise serves each file but the service worker under the hash of its content, cached for ever.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, json, render_template, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from whitenoise import WhiteNoise
from whitenoise.responders import Headers

from app.web.access import public
from app.web.errors import settle_reader
from app.web.headers import FIXED
from app.web.locale import reader_locale
from app.web.templates import constant

ROOT = Path(__file__).parents[1] / "static"
# Speculation rules: Chromium asks for these pages while a finger or a mouse button is down, a tenth of a second before
# the click. Other browsers do not look at them. Source: https://html.spec.whatwg.org/multipage/speculative-loading.html
PREFETCH, PREFETCH_TYPE = "prefetch.json", "application/speculationrules+json"
# The service worker has a URL that stays, and a browser asks for it again at each visit. What it fetches is ours.
WORKER, WORKER_URL = "sw.js", "/sw.js"
ICON = re.compile(r'<symbol id="([^"]+)"')
WORKER_POLICY = "default-src 'none'; connect-src 'self'"
# iPhones take them too (WebKit since 15.4), so no page names one of its own.
ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512"}  # opaque to the edge, hence maskable

manifest = Blueprint("manifest", __name__)
offline = Blueprint("offline", __name__)


def init_app(app: Flask) -> None:
    urls = {path.relative_to(ROOT).as_posix(): hashed_url(path) for path in sorted(ROOT.rglob("*")) if path.is_file()}
    urls[WORKER] = WORKER_URL
    white_noise = WhiteNoise(
        app.wsgi_app,
        allow_all_origins=False,
        add_headers_function=add_headers,
        max_age=0,
        immutable_file_test=lambda path, url: url != WORKER_URL,
        mimetypes={PREFETCH: PREFETCH_TYPE},
    )
    for name, url in urls.items():
        white_noise.add_file_to_dictionary(url, str(ROOT / name))
    app.wsgi_app = white_noise  # type: ignore[method-assign]
    app.extensions["static_urls"] = urls
    app.extensions["prefetch_rules"] = f'"{urls[PREFETCH]}"'

    @constant
    def static_url(name: str) -> str:
        return urls[name]  # an unknown name is a KeyError, so a page's test finds it

    icons = frozenset(ICON.findall((ROOT / "icons.svg").read_text(encoding="utf-8")))

    @constant
    @cache
    def icon(name: str) -> Markup:
        """Draw an icon of icons.svg, for the eye only. Raises: LookupError: it has none of this name."""
        if name not in icons:
            raise LookupError(f"static/icons.svg has no {name}; it has {', '.join(sorted(icons))}")
        use = Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>')
        return use.format(static_url("icons.svg"), name)

    app.jinja_env.globals.update(icon=icon, static_url=static_url)


def hashed_url(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return f"/static/{path.relative_to(ROOT).with_suffix('').as_posix()}.{digest}{path.suffix}"


def add_headers(headers: Headers, path: str, url: str) -> None:
    for name, value in FIXED.items():
        headers[name] = value
    if url == WORKER_URL:
        headers["Content-Security-Policy"] = WORKER_POLICY


@manifest.get("/manifest.webmanifest", endpoint="manifest")
@public
def show_manifest() -> Response:
    urls = current_app.extensions["static_urls"]
    icons = [{"src": urls[name], "sizes": sizes, "purpose": "any maskable"} for name, sizes in ICONS.items()]
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
        in_notebook=True,
        title=_("You're offline"),
        advice=_("Nothing was changed. You can still read what you opened last."),
    )
