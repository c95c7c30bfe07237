"""The site that a passkey is made for (WebAuthn's relying party): the host of SITE_URL, else the host of the request.

A passkey belongs to one host name for good. An IP address is none, so at 127.0.0.1 there are no passkeys; at localhost
there are. Without SITE_URL the Host header decides, which TRUSTED_HOSTS bounds: a stranger's host name makes passkeys
that work at that host alone, in a browser that is there.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from flask import abort, current_app

from app.passkeys.ceremonies import RelyingParty
from app.web.proxy import own_origin

PORTS = {"http": 80, "https": 443}  # which an origin does not name


def relying_party() -> RelyingParty | None:
    """Return this site; None where the page was opened by another name than the site's, or by an IP address."""
    here = urlsplit(own_origin())
    site = urlsplit(current_app.config["SITE_URL"]) if current_app.config["SITE_URL"] else here
    name = site.hostname
    if not name or name != here.hostname or is_ip_address(name):
        return None
    return RelyingParty(name, origin(site))


def relying_party_or_404() -> RelyingParty:
    party = relying_party()
    if party is None:
        abort(404)
    return party


def place_for_passkeys() -> str | None:
    """Return the address at which this site has passkeys, if it has one and it is not the one of this request."""
    site = urlsplit(current_app.config["SITE_URL"])
    return None if not site.hostname or is_ip_address(site.hostname) or relying_party() else origin(site)


def origin(url: SplitResult) -> str:
    """Return the origin as a browser writes it: lower-case, without the port that is the scheme's own."""
    port = f":{url.port}" if url.port and url.port != PORTS.get(url.scheme) else ""
    return f"{url.scheme}://{url.hostname}{port}"


def is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
