"""Behind a platform's router: trust one hop of X-Forwarded headers, and redirect HTTP to HTTPS."""

from flask import Flask, current_app, redirect, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response


def init_app(app: Flask) -> None:
    hops = app.config["PROXY_HOPS"]
    if hops:
        # The router appends the true peer to X-Forwarded-For. It sets no X-Forwarded-Host or -Prefix, so a client did.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_port=hops, x_prefix=0)  # type: ignore[method-assign]
    app.before_request(redirect_to_https)


def redirect_to_https() -> Response | None:
    """A request without the header did not come through the router, as a health check. It is not redirected."""
    if current_app.config["HTTPS"] and request.headers.get("X-Forwarded-Proto") == "http":
        return redirect(request.url.replace("http://", "https://", 1), code=308)
    return None
