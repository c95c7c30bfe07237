"""The proxy in front: who asks and over which scheme, as it says; the Host of the site; HTTP to HTTPS.

A client may send each of these headers too. So of X-Forwarded-For only the address counts that the proxy has written
itself, at its place from the end, and X-Forwarded-Host, -Port and -Prefix are not read at all.
"""

import ipaddress
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, current_app, redirect, request
from flask.globals import request_ctx
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORT = re.compile(r":[0-9]*$")  # of a Host header; an IPv6 address is in brackets

# They come from inside a platform: by a name or an address of its own, and over http.
HEALTH_CHECKS = ("health.healthz", "health.readyz")


def init_app(app: Flask) -> None:
    if app.config["HTTPS"]:
        app.wsgi_app = with_forwarded_scheme(app.wsgi_app)  # type: ignore[assignment,method-assign]
    app.before_request(check_host_and_scheme)


def with_forwarded_scheme(app: WSGIApplication) -> WSGIApplication:
    """Return WSGI middleware that sets the scheme which the client has used with the proxy."""

    def forward(wsgi: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        wsgi["wsgi.url_scheme"] = forwarded_scheme(wsgi) or wsgi["wsgi.url_scheme"]
        return app(wsgi, start_response)

    return forward


def forwarded_scheme(wsgi: WSGIEnvironment) -> str | None:
    """Return the last X-Forwarded-Proto, http or https; None: the request did not come through the proxy."""
    scheme: str = wsgi.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
    return scheme if scheme in ("http", "https") else None


def check_host_and_scheme() -> Response | None:
    """Refuse a Host header that names no host, or none of TRUSTED_HOSTS (host header injection): 400.

    What came to the proxy over http is redirected, to the same Host.
    """
    if request_ctx.url_adapter is None or not request.host or not is_host_of_site():
        request.host = "invalid"  # the links of the error page are paths, which Flask builds for some host alone
        request_ctx.url_adapter = current_app.url_map.bind(request.host)
        raise BadRequest
    if not current_app.config["HTTPS"] or request.endpoint in HEALTH_CHECKS:
        return None
    if forwarded_scheme(request.environ) == "http":
        return redirect(request.url.replace("http://", "https://", 1), code=308)
    return None


def is_host_of_site() -> bool:
    hosts = current_app.config["SITE_HOSTS"]
    if not hosts or request.endpoint in HEALTH_CHECKS:
        return True
    name = PORT.sub("", request.host.lower()).removesuffix(".")
    return name in hosts or any(host[0] == "." and f".{name}".endswith(host) for host in hosts)


def own_origin() -> str:
    """Return scheme and host of this request as a browser writes them. `host_url` has an IDN in Unicode."""
    return f"{request.scheme}://{request.host}".lower()


def client_address() -> Address | None:
    """Return the browser's IP address, the peer's where the proxy says none, as for a health check; None if invalid."""
    return parse_address(forwarded_address() or request.remote_addr or "")


def forwarded_address() -> str | None:
    """Return what the proxy says who asks; None: there is no such header, or it has too few addresses."""
    if current_app.config["CLIENT_ADDRESS"] is None:
        return None
    header, place = current_app.config["CLIENT_ADDRESS"]
    addresses = request.headers.get(header, "").split(",")  # the server joins lines of the same name
    return addresses[-place].strip() if len(addresses) >= place else None


def parse_address(text: str) -> Address | None:
    """Read 192.0.2.1, 2001:db8::1, fe80::1%eth0, and the same with a port: 192.0.2.1:80, [2001:db8::1]:80."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # ::ffff:192.0.2.1 is 192.0.2.1


def client_network() -> str:
    """Return what a rate limit by address counts: the IPv4 address, or the /64 network of an IPv6 address.

    A /64 is one household's or one server's. Whoever has no address is counted as one.
    """
    address = client_address()
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
