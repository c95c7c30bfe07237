"""Security headers on every answer and every static file: CSP against XSS, HSTS, no framing (clickjacking)."""

from urllib.parse import urlsplit

from flask import Flask, current_app, g, request
from werkzeug.wrappers import Response

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers send `Origin: null` with form posts, and old ones nothing else that tells where from.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
HSTS = "max-age=63072000; includeSubDomains"


def init_app(app: Flask) -> None:
    photos = urlsplit(app.config["S3_PUBLIC_URL"])
    # Nothing inline, and nothing from other sites but the bucket's photos.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' {photos.scheme}://{photos.netloc}; connect-src 'self'; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    # After signing out, no cache may show what a signed-in reader saw.
    app.extensions["headers"] = {**FIXED, "Content-Security-Policy": policy, "Cache-Control": "no-store"}
    app.after_request(set_headers)


def send_no_referrer() -> None:
    """Tell no page, not even our own, where its reader comes from. For a page without forms, see FIXED."""
    g.referrer_policy = "no-referrer"


def set_headers(response: Response) -> Response:
    response.headers.extend(current_app.extensions["headers"])
    response.headers.add("X-Request-ID", g.request_id)
    if "referrer_policy" in g:
        response.headers["Referrer-Policy"] = g.referrer_policy
    if is_secret_path():
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
    if request.is_secure:
        response.headers.add("Strict-Transport-Security", HSTS)
    if response.mimetype == "text/html":
        response.headers["Speculation-Rules"] = current_app.extensions["prefetch_rules"]
    response.vary.update(["Accept-Language", "Cookie"])
    return response


def is_secret_path() -> bool:
    """Return whether whoever has the address may read the page (capability URL): a variable of the path is no number.

    No search engine is to list it, and app/redaction.py leaves it out of the logs.
    """
    return any(not isinstance(value, int) for value in (request.view_args or {}).values())
