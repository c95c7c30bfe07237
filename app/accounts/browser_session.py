"""The browser's side of a session: the token in the signed cookie, `current_user` (Flask-Login), and the device cookie.

The device cookie recognizes a browser that has signed in before, so that guesses of others do not lock it out, after
OWASP's "Slow Down Online Guessing Attacks with Device Cookies". It is a nonce and an HMAC over the account's id and its
password hash, so it holds for one account until the password changes. All that it gives is a rate limit of its own.
"""

import contextlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Any, cast

from flask import Flask, after_this_request, current_app, g, has_request_context, redirect, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import tracing
from app.accounts import events, service, sessions
from app.accounts.models import EventKind, User
from app.extensions import db, login
from app.limits import rate_limits
from app.web.headers import TOKEN, keep
from app.web.locale import known_account
from app.web.proxy import client_address, client_network

SECOND_STEP = "second_step"  # the key of the token between the password and the second step

DEVICE_COOKIE = "device"

# The name that people know, and the mark in the User-Agent header. Every browser also names older ones, for
# compatibility, so the order decides: the first one found is the true one.
BROWSERS = {
    "KakaoTalk": ("KAKAOTALK",),
    "NAVER": ("NAVER(",),
    "Whale": ("Whale/",),
    "Samsung Internet": ("SamsungBrowser/",),
    "Edge": ("EdgA/", "EdgiOS/", "Edg/"),
    "Opera": ("OPR/",),
    "Firefox": ("Firefox/", "FxiOS/"),
    "Chrome": ("CriOS/", "Chrome/"),
    "Safari": ("Safari/",),
    "curl": ("curl/",),
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "ChromeOS": "CrOS",
    "macOS": "Mac OS X",
    "Linux": "Linux",
}


def init_app(app: Flask) -> None:
    # Flask-Login can bind its user id to an address, but our cookie holds no user id: the token's row is the session.
    login.session_protection = None
    login.request_loader(load)
    app.after_request(name_reader)
    for error in (service.WrongCredentials, service.AccountGone):
        app.register_error_handler(error, sign_in_again)
    app.context_processor(name_reader_to_templates)
    app.jinja_env.globals["device_name"] = device_name


def this_client() -> events.Client:
    """Return the browser that asks, for the events of its account."""
    ip = client_address()
    return events.Client(str(ip) if ip else None, request.user_agent.string)


def begin(user: User, *, remember: bool, kind: EventKind = EventKind.SIGN_IN) -> int:
    """Sign this browser in, and return the session's id. Raises: WrongCredentials, as `start_session`."""
    token, session_id = sessions.start_session(user, this_client(), remember=remember, kind=kind)
    remember_device(user)
    if current_user.is_authenticated:
        sessions.end_session(current_user.session_id)
    session.clear()  # somebody may have planted its content (session fixation)
    g.pop("csrf_token", None)  # it belonged to the old session; the next form in this request gets a new one
    session[TOKEN] = token
    tracing.note_account(user.id)
    session.permanent = remember
    return session_id


def renew(user: User) -> None:
    """Sign this browser in again, with the same lifetime. What else the cookie holds stays, since the reader does."""
    kept = {key: value for key, value in session.items() if key not in (TOKEN, "csrf_token")}
    session_id = begin(user, remember=session.permanent, kind=EventKind.SIGN_IN_CONFIRMED)
    session.update(kept)
    current_user.session_id, current_user.is_recent = session_id, True


def load(_request: object) -> sessions.SignedIn | None:
    """Return who the cookie's token belongs to. Flask-Login calls this once a request, at the first `current_user`."""
    if "reader_is_settled" in g:
        return cast("sessions.SignedIn | None", g.get("account"))
    token = session.get(TOKEN)
    signed_in = g.account = None if token is None else sessions.find_session(token)
    if signed_in:
        tracing.note_account(signed_in.id)
    if signed_in and signed_in.last_visit_is_old and sessions.extend_session(signed_in.session_id):
        session.modified = True  # the cookie's lifetime starts over with the row's
    return signed_in


def name_reader(response: Response) -> Response:
    """Tell the service worker (app/static/sw.js) whose answer it is. Nothing where nobody asked, as on error pages."""
    if "account" in g:
        response.headers["X-Reader"] = str(g.account.id) if g.account else "none"
    return response


def name_reader_to_templates() -> dict[str, Any]:
    """Give a page its `current_user` without Flask-Login's proxy, whose every attribute is a call of its own."""
    return {"current_user": known_account() or login.anonymous_user()} if has_request_context() else {}


def sign_in_again(error: Exception) -> Response:
    """Answer where the password was changed or the account deleted while this request was at work."""
    session.clear()
    return redirect(url_for("accounts.sign_in"))


def sign_out() -> None:
    """Drop the cookie's content, and let the browser delete what our pages stored in it (ASVS 5.0 V14.3.1).

    The caller ends the row. Other cookies stay: they hold the language and the colours. A session that was lost is not
    signed out: the drafts that the browser has stored are then the only copy of a text.
    """
    session.clear()

    @after_this_request
    def clear_site_data(response: Response) -> Response:
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


def remember_device(user: User) -> None:
    """Send this browser a device cookie with the answer to this request."""
    nonce = secrets.token_hex(16)
    value = f"{nonce}.{_signature(nonce, user.id, user.password_hash)}"

    @after_this_request
    def set_cookie(response: Response) -> Response:
        keep(response, DEVICE_COOKIE, value, path="/sign-in")  # since no other page needs it
        return response


def known_device(email: str) -> str | None:
    """Return the nonce of this browser's device cookie, if it is one for the account with this email address."""
    nonce, _dot, signature = request.cookies.get(DEVICE_COOKIE, "").partition(".")
    if not signature:
        return None
    # The same work whether there is such an account or not: the timing must not reveal it (user enumeration).
    user = db.session.execute(select(User.id, User.password_hash).where(User.email == email)).one_or_none()
    expected = _signature(nonce, *(user or (0, "")))
    return nonce if hmac.compare_digest(signature.encode(), expected.encode()) and user else None


def _signature(nonce: str, user_id: int, password_hash: str) -> str:
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, f"device cookie {nonce} {user_id} {password_hash}".encode(), "sha256").hexdigest()


def device_name(user_agent: str) -> str | None:
    """Return how people know the device that sent this header, such as "Chrome on Windows"; None for an unknown one."""
    browser = next((name for name, marks in BROWSERS.items() if any(mark in user_agent for mark in marks)), None)
    system = next((name for name, mark in SYSTEMS.items() if mark in user_agent), None)
    if browser and system:
        return str(_("%(browser)s on %(system)s", browser=browser, system=system))
    return browser or system


@contextlib.contextmanager
def counted_sign_in(email: str) -> Iterator[None]:
    """Count the check of a password at sign-in. An error that passes through is a failure, and counts.

    The limits are those of the known browser, else of the address and of the account, also of one that nobody has.
    Raises: RateLimited, before the password was looked at.
    """
    if device := known_device(email):
        with counted(rate_limits.SIGN_IN_BY_DEVICE, device):
            yield
    else:
        # The address first: if that is refused, nothing is taken from the account's limit, which others need.
        with counted(rate_limits.SIGN_IN_BY_ADDRESS, client_network()), counted(rate_limits.SIGN_IN_BY_ACCOUNT, email):
            yield


@contextlib.contextmanager
def counted_password(user_id: int) -> Iterator[None]:
    """Limit right and wrong passwords of a signed-in person who is asked again. Raises: RateLimited, before a look."""
    try:
        with rate_limits.spent(rate_limits.RIGHT_PASSWORDS, user_id), counted(rate_limits.PASSWORD_BY_PERSON, user_id):
            yield
    except service.WrongPassword:
        events.refused(user_id, EventKind.PASSWORD_REFUSED, this_client())
        raise


@contextlib.contextmanager
def counted(limit: rate_limits.Limit, key: str | int) -> Iterator[None]:
    """Take a token, and give it back when the block raises nothing: only failures count. Raises: RateLimited."""
    rate_limits.take(limit, key)
    yield
    rate_limits.give_back(limit, key)
