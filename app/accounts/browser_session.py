"""The browser's side of a session: the token in the signed cookie, and `current_user` (Flask-Login)."""

import contextlib

from flask import Flask, Request, after_this_request, g, redirect, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app import tracing
from app.accounts import device_cookies, second_step, service, sessions
from app.accounts.events import Client
from app.accounts.models import EventKind, User
from app.extensions import login
from app.web.cookies import TOKEN
from app.web.errors import forget_reader
from app.web.proxy import client_address

SECOND_STEP = "second_step"  # that of the token between the password and the second step


def init_app(app: Flask) -> None:
    # Flask-Login can bind its user id to an address, but our cookie holds no user id: the token's row is the session.
    login.session_protection = None
    login.request_loader(load)
    app.after_request(name_reader)
    for error in (service.WrongCredentials, service.AccountGone):
        app.register_error_handler(error, sign_in_again)


def this_client() -> Client:
    """The browser that asks, for the events of its account."""
    ip = client_address()
    return Client(str(ip) if ip else None, request.user_agent.string)


def begin(user: User, *, remember: bool, kind: EventKind = EventKind.SIGN_IN) -> None:
    """Sign this browser in. The cookie's old content is dropped, so nobody can have planted it (session fixation).

    Raises:
        WrongCredentials: the password was changed since `user` was read.
    """
    client = this_client()
    token = sessions.start_session(user, remember=remember, user_agent=client.user_agent, ip=client.ip, kind=kind)
    device_cookies.remember(user)
    if current_user.is_authenticated:
        sessions.end_session(current_user.session_id)
    session.clear()
    g.pop("csrf_token", None)  # it belonged to the old session; the next form in this request gets a new one
    session[TOKEN] = token
    tracing.note_account(user.id)
    session.permanent = remember


def begin_second_step(user: User, *, remember: bool) -> None:
    """The password was right, and signs nobody in yet. Raises: AccountGone."""
    session[SECOND_STEP] = second_step.start(user, remember=remember)


def renew(user: User) -> None:
    """Sign this browser in again, with the same lifetime. Raises: WrongCredentials, as `begin`.

    What the cookie holds besides stays, since the reader does: the request may go on with it.
    """
    kept = {key: value for key, value in session.items() if key not in (TOKEN, "csrf_token")}
    begin(user, remember=session.permanent, kind=EventKind.SIGN_IN_CONFIRMED)
    session.update(kept)
    forget_reader()


def load(request: Request) -> sessions.SignedIn | None:
    """Who the cookie's token belongs to. Flask-Login calls this once a request."""
    token = session.get(TOKEN)
    if token is None:
        g.account = None
        return None
    signed_in = g.account = sessions.find_session(token)
    if signed_in:
        tracing.note_account(signed_in.id)
    if signed_in and signed_in.last_visit_is_old:
        with contextlib.suppress(sessions.ReadOnly):  # the visit is not noted, and the page is shown
            sessions.extend_session(signed_in.session_id)
            session.modified = True  # the cookie's lifetime starts over with the row's
    return signed_in


def name_reader(response: Response) -> Response:
    """Tell the service worker (app/static/sw.js) whose answer it is. Nothing where nobody asked, as on error pages."""
    if "account" in g:
        response.headers["X-Reader"] = str(g.account.id) if g.account else "none"
    return response


def sign_in_again(error: Exception) -> Response:
    """The password was changed or the account deleted while this request was at work."""
    end()
    return redirect(url_for("accounts.sign_in"))


def end() -> None:
    """Drop the cookie's content. The caller ends the row."""
    session.clear()


def sign_out() -> None:
    """End, as the reader asked for it: the browser deletes what our pages stored in it too (ASVS 5.0 V14.3.1).

    Not its cookies: they hold the language and the colours, and the message that says goodbye. A session that was lost
    is not signed out. The drafts that the browser has stored are then the only copy of a text.
    """
    end()
    after_this_request(clear_site_data)


def clear_site_data(response: Response) -> Response:
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
