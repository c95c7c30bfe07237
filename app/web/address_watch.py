"""Tell the operator when the proxy in front is not what CLIENT_ADDRESS describes: then all readers look alike.

Their limits by address are one: twenty wrong passwords of a stranger shut everybody out. In each process the first
request of each account is looked at, until the signs agree or one speaks against them: strangers can send any header.
"""

import logging
import threading

from flask import Flask, current_app, request
from werkzeug.wrappers import Response

from app import tracing
from app.web.proxy import Address, client_address, forwarded_address, parse_address

ENOUGH = 3  # accounts
MOST = 100  # accounts; who looks no different by then, as an office with one address, never will

log = logging.getLogger(__name__)


# Why all readers look alike, as the end of the sentence in the log.
MISSING = "the requests have none there"
PRIVATE = "it is one private address"
PROXY = "in X-Forwarded-For it stands behind those of several readers"
Sign = tuple[str, Address | None]  # what one request shows, and the address that shows it


class AddressWatch:
    """The watch of one process. `found` is why all readers look alike; None: they do not, or too few came."""

    def __init__(self) -> None:
        self.is_over = False
        self.found: str | None = None
        self.accounts: set[int] = set()
        self._signs: list[Sign] = []
        self._lock = threading.Lock()

    def note(self, account: int, sign: Sign | None) -> None:
        """Note what an account's request shows. None: this reader has an address of its own."""
        with self._lock:
            if self.is_over or account in self.accounts:
                return
            self.accounts.add(account)
            if sign:
                self._signs.append(sign)
            self.found = cause_of(self._signs)
            self.is_over = sign is None or self.found is not None or len(self.accounts) >= MOST
        if self.found:
            log.warning(
                "all readers look alike: what CLIENT_ADDRESS names (%s:%s) is no reader's address, since %s; limits by"
                " address count them as one, see docs/platforms.md, The proxy in front",
                *(*current_app.config["CLIENT_ADDRESS"], self.found),
            )


def cause_of(signs: list[Sign]) -> str | None:
    """Return the cause that ENOUGH accounts show: one private address for all, or proxies before different readers."""
    of = {cause: [address for found, address in signs if found is cause] for cause in (MISSING, PRIVATE, PROXY)}
    if len(of[MISSING]) >= ENOUGH:
        return MISSING
    if len(of[PRIVATE]) >= ENOUGH and len(set(of[PRIVATE])) == 1:
        return PRIVATE
    return PROXY if len(set(of[PROXY])) >= ENOUGH else None


def sign_of_request() -> Sign | None:
    address = client_address()
    if not forwarded_address() or address is None:
        return MISSING, None
    if first := first_before(address):
        return PROXY, first
    return None if address.is_global else (PRIVATE, address)


def first_before(address: Address) -> Address | None:
    """Return the public address with which X-Forwarded-For begins, maybe the reader's, if this one follows later."""
    addresses = [parse_address(text.strip()) for text in request.headers.get("X-Forwarded-For", "").split(",")]
    before = addresses[: addresses.index(address)] if address in addresses else []
    return next((one for one in before if one and one.is_global), None)


def init_app(app: Flask) -> None:
    if not app.config["CLIENT_ADDRESS"]:
        return
    watch = app.extensions["address_watch"] = AddressWatch()

    @app.after_request
    def look(response: Response) -> Response:
        span = None if watch.is_over else tracing.current()
        if span and span.account and span.account not in watch.accounts:
            watch.note(span.account, sign_of_request())
        return response
