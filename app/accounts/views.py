"""The landing page, sign-up, sign-in, sign-out, and the signed-in devices."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import browser_session, confirmation, devices, event_list, events, service, sessions
from app.accounts.browser_session import this_client
from app.accounts.forms import SignInForm, SignUpForm
from app.accounts.guessing import counted_sign_in, limit_sign_ins
from app.accounts.mailed_links import ask_to_sign_up
from app.accounts.recent_sign_in import recent_sign_in_required
from app.extensions import csrf
from app.keyset import Cursor
from app.limits import rate_limits
from app.limits.rate_limits import RateLimited
from app.mail import message
from app.web import form_recovery
from app.web.access import local_path, public
from app.web.locale import reader_locale
from app.web.proxy import client_network
from app.web.throttling import retry_after, wait_sentence

bp = Blueprint("accounts", __name__)

Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@bp.get("/")
@public
def landing() -> Answer:
    if current_user.is_authenticated:
        return redirect(url_for("notes.index"))
    return render_template("accounts/landing.html")


@bp.route("/sign-up", methods=["GET", "POST"])
@public
def sign_up() -> Answer:
    """Where letters reach mailboxes, the account is opened behind a link, and no answer tells who has one."""
    if message.reaches_mailboxes():
        return ask_to_sign_up()
    form = SignUpForm()
    if not form.is_submitted():
        return render_template("accounts/sign_up.html", form=form)
    if form.validate():
        try:
            rate_limits.take(rate_limits.SIGN_UP_BY_ADDRESS, client_network())
            user = service.sign_up(form.email.data, form.nickname.data, form.password.data)
        except service.EmailTaken:
            form.email.errors = [_("This address already has an account. Sign in instead.")]
        except service.NicknameTaken:
            form.nickname.errors = [_("This nickname is taken. Choose another one.")]
        except RateLimited as error:
            form.email.errors = [wait_sentence(error)]
            return render_template("accounts/sign_up.html", form=form), 429, retry_after(error)
        else:
            browser_session.begin(user, remember=False)
            confirmation.send_link(user.id, reader_locale())  # in development, into a file
            return redirect(url_for("notes.index"))
    return render_template("accounts/sign_up.html", form=form), 422


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    form = SignInForm()
    if not form.is_submitted():
        return sign_in_page(form)
    target = local_path(request.args.get("next"), default=url_for("notes.index"))
    carried = form_recovery.carried_form(target)
    if form.validate():
        try:
            with counted_sign_in(form.email.data):
                user = service.authenticate(form.email.data, form.password.data)
                limit_sign_ins(user)
            if user.passkey_after_password:
                browser_session.begin_second_step(user, remember=form.remember.data)
                # 307: the browser posts the form again, so that the second step carries what it holds.
                ask_second_step = url_for("passkey_sign_in.ask_second_step", next=request.args.get("next") or None)
                return redirect(ask_second_step, 307 if carried else 302)
            browser_session.begin(user, remember=form.remember.data)
        except service.WrongCredentials as error:
            key = current_app.config["SECRET_KEY"]
            events.sign_in_failed(error.user_id, form.email.data, this_client(), key)
            form.password.errors = [_("That email and password don't match.")]
        except RateLimited as error:
            form.password.errors = [wait_sentence(error)]
            return sign_in_page(form, carried), 429, retry_after(error)
        else:
            return form_recovery.offer(carried) if carried else redirect(target)
    return sign_in_page(form, carried), 422


@bp.post("/sign-in/again")
@public
def sign_in_again() -> Answer:
    """The sign-in page for a form that was posted without a session. It carries the typed text and changes nothing."""
    target = local_path(request.args.get("next"), default=url_for("notes.index"))
    form = form_recovery.posted_form(target)
    if form is None:
        return redirect(url_for("accounts.sign_in", next=target))
    return sign_in_page(SignInForm(formdata=None), form)


csrf.exempt(sign_in_again)  # its token belongs to the lost session


def sign_in_page(form: SignInForm, carried: form_recovery.RecoveredForm | None = None) -> str:
    return render_template("accounts/sign_in.html", form=form, kept=carried)


@bp.post("/sign-out")
def sign_out() -> Answer:
    sessions.end_session(current_user.session_id)
    browser_session.sign_out()
    flash(_("You're signed out. See you soon."))
    return redirect(url_for("accounts.sign_in"))


@bp.get("/mypage/devices")
def list_devices() -> Answer:
    shown = devices.list_devices(current_user.id, current_user.session_id)
    return render_template("accounts/devices.html", devices=shown, most=sessions.MOST)


@bp.post("/mypage/devices/<id:session_id>/sign-out")
@recent_sign_in_required(lazy_gettext("Sign out another device"))
def sign_out_device(session_id: int) -> Answer:
    try:
        devices.sign_out(current_user.id, session_id, this_client())
    except devices.DeviceGone:
        abort(404)
    flash(_("That device is signed out."))
    return redirect(url_for("accounts.list_devices"))


@bp.post("/mypage/devices/sign-out-others")
@recent_sign_in_required(lazy_gettext("Sign out all other devices"))
def sign_out_other_devices() -> Answer:
    devices.sign_out_others(current_user.id, current_user.session_id, this_client())
    flash(_("You're signed out on all other devices."))
    return redirect(url_for("accounts.list_devices"))


@bp.get("/mypage/events")
def list_events() -> Answer:
    before = request.args.get("before")
    try:
        after = event_list.START if before is None else Cursor.parse(before, event_list.KEY_BOUNDS)
    except ValueError:
        abort(400)
    shown, older = event_list.list_events(current_user.id, after)
    return render_template("accounts/events.html", events=shown, older=older)
