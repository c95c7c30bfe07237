"""Behind a platform's router: trust one hop of X-Forwarded headers, refuse a bad Host, and redirect HTTP to HTTPS."""

import ipaddress

from flask import Flask, current_app, redirect, request
from flask.globals import request_ctx
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response


def init_app(app: Flask) -> None:
    hops = app.config["PROXY_HOPS"]
    if hops:
        # The router appends the true peer to X-Forwarded-For. It sets no X-Forwarded-Host or -Prefix, so a client did.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_port=hops, x_prefix=0)  # type: ignore[method-assign]
    app.before_request(refuse_bad_host)
    app.before_request(redirect_to_https)


def refuse_bad_host() -> None:
    """400 for a Host header that names no host, or none of TRUSTED_HOSTS (host header injection).

    Flask has no URLs for such a request. They are those of a host that nobody has, for the links of the error page,
    which are paths.
    """
    if request_ctx.url_adapter is None or not request.host:
        request.host = "invalid"
        request_ctx.url_adapter = current_app.url_map.bind(request.host)
        raise BadRequest


def redirect_to_https() -> Response | None:
    """A request without the header did not come through the router, as a health check. It is not redirected.

    It leads to the Host of the request, which is one of TRUSTED_HOSTS; docs/configuration.md says what holds without.
    """
    if current_app.config["HTTPS"] and request.headers.get("X-Forwarded-Proto") == "http":
        return redirect(request.url.replace("http://", "https://", 1), code=308)
    return None


def client_address() -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The browser's IP address. A proxy may send anything; what is no address is dropped, not refused."""
    try:
        address = ipaddress.ip_address((request.remote_addr or "").partition("%")[0])  # fe80::1%eth0: drop the zone
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # ::ffff:192.0.2.1 is 192.0.2.1


def client_network() -> str:
    """Whom a rate limit by address counts: the IPv4 address, or the /64 network of an IPv6 address.

    A /64 is one household's or one server's, and has 2⁶⁴ addresses to send from. Whoever has no address is counted as
    one.
    """
    address = client_address()
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
