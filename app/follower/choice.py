"""Which requests the follower answers, and which ones are marked as writes."""

from collections.abc import Callable
from typing import TypeVar

from flask import current_app, g, has_request_context, request
from sqlalchemy.orm import Session

from app.follower import writes
from app.follower.follower import Follower
from app.web import autocommit

View = TypeVar("View", bound=Callable[..., object])


def from_follower(view: View) -> View:
    """Mark a view whose page may come from a follower: it shows a signed-in person their own rows, and decides nothing.

    Not for what somebody else may change at any moment: a link that was shared, a session, a passkey.
    """
    view.is_from_follower = True  # type: ignore[attr-defined]
    return view


def choose() -> None:
    """For app.extensions.read. The session was read from the primary before, and with it the account's last write."""
    account = g.get("account")
    if account is None or not g.only_reads or request.endpoint is None:
        return
    view = current_app.view_functions[request.endpoint]
    follower: Follower = current_app.extensions[writes.FOLLOWER]
    if getattr(view, "is_from_follower", False) and follower.serves(account.last_write):
        g.read_elsewhere = follower.read


def mark_request(session: Session) -> None:
    """Before each commit of a signed-in person's request: it writes for their account."""
    if not has_request_context() or request.method in ("GET", "HEAD") or autocommit.only_reads():
        return
    account = g.get("account")
    if account is not None:
        writes.mark(account.id)
