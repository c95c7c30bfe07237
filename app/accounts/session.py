"""The browser's side of a session: the token in its cookie, and `current_user` from it."""

import ipaddress

from flask import Flask, Request, g, redirect, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import service
from app.accounts.models import User
from app.extensions import login

TOKEN = "token"  # noqa: S105 - the name under which the cookie holds it


def init_app(app: Flask) -> None:
    # The cookie holds no user id that Flask-Login could bind to an address: the row behind the token is the session.
    login.session_protection = None
    login.request_loader(load)
    for error in (service.WrongCredentials, service.AccountGone):
        app.register_error_handler(error, sign_in_again)


def begin(user: User, *, remember: bool) -> None:
    """Sign this browser in. What its cookie held before is dropped, so nobody can have planted it.

    Raises:
        WrongCredentials: the password was changed since `user` was read.
    """
    token = service.start_session(user, remember=remember, user_agent=request.user_agent.string, ip=address())
    if current_user.is_authenticated:
        service.end_session(current_user.session_id)
    session.clear()
    g.pop("csrf_token", None)  # of the session before; what this request still renders gets one of the new
    session[TOKEN] = token
    session.permanent = remember


def address() -> str | None:
    """Where the browser is. What a proxy says of it may be anything; what is no address is not worth a refusal."""
    try:
        return str(ipaddress.ip_address((request.remote_addr or "").partition("%")[0]))  # %: of which network card
    except ValueError:
        return None


def renew(user: User) -> None:
    """Sign this browser in again, for as long as it was. Raises: WrongCredentials, as `begin`."""
    begin(user, remember=session.permanent)


def load(request: Request) -> service.SignedIn | None:
    token = session.get(TOKEN)
    if token is None:
        return None
    signed_in = g.account = service.find_session(token)
    if signed_in and signed_in.not_seen_lately:
        service.extend_session(signed_in.session_id)
    return signed_in


def sign_in_again(error: Exception) -> Response:
    """The password was changed, or the account deleted, in the moment in which this request was at work."""
    end()
    return redirect(url_for("accounts.sign_in"))


def end() -> None:
    """Drop the cookie's content; the row is ended by whoever calls this."""
    session.clear()
