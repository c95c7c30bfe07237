"""The landing page, sign-up, sign-in, sign-out; of my page the devices, the account history and the access tokens."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm

from app.accounts import access_tokens, browser_session, changes, events, service, sessions, tokens
from app.accounts.browser_session import counted_sign_in, this_client
from app.accounts.forms import NICKNAME_TAKEN, AccessTokenForm, SignInForm, SignUpForm
from app.accounts.mailed_links import ask_to_sign_up
from app.accounts.models import User
from app.accounts.recent_sign_in import recent_sign_in_required
from app.extensions import csrf
from app.limits import rate_limits
from app.limits.rate_limits import RateLimited
from app.mail import message
from app.web import form_recovery
from app.web.access import local_path, public, requested_cursor
from app.web.answers import Answer
from app.web.form_recovery import RecoveredForm
from app.web.locale import reader_locale
from app.web.proxy import client_network
from app.web.throttling import refused

bp = Blueprint("accounts", __name__)
token_bp = Blueprint("access_tokens", __name__, url_prefix="/mypage/tokens")


@bp.get("/")
@public
def landing() -> Answer:
    if current_user.is_authenticated:
        return redirect(url_for("notes.index"))
    return render_template("accounts/landing.html")


@bp.route("/sign-up", methods=["GET", "POST"])
@public
def sign_up() -> Answer:
    """Open an account. Where letters reach mailboxes that is done behind a link, and no answer tells who has one."""
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
            form.nickname.errors = [NICKNAME_TAKEN]
        except RateLimited as error:
            return refused(form.email, error, lambda: render_template("accounts/sign_up.html", form=form))
        else:
            browser_session.begin(user, remember=False)
            changes.send_confirmation(user.id, reader_locale())  # in development, into a file
            return redirect(url_for("notes.index"))
    return render_template("accounts/sign_up.html", form=form), 422


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    form = SignInForm()
    if not form.is_submitted():
        return sign_in_page(form)
    if form.validate():
        try:
            with counted_sign_in(form.email.data):
                user = service.authenticate(form.email.data, form.password.data)
                # Inside, so that a refusal counts as a failure: the hashes of a right password have a limit, too. No
                # stranger has the password, so none takes these tokens and keeps the owner out.
                rate_limits.take(rate_limits.SIGN_INS, user.id)
            if not user.passkey_after_password:
                return go_on(user, remember=form.remember.data)
            session[browser_session.SECOND_STEP] = tokens.start_second_step(user, remember=form.remember.data)
            # 307: the browser posts the form again, so that the second step carries what it holds.
            ask_second_step = url_for("passkey_sign_in.ask_second_step", next=request.args.get("next") or None)
            return redirect(ask_second_step, 307 if destination()[1] else 302)
        except service.WrongCredentials as error:
            key = current_app.config["SECRET_KEY"]
            events.sign_in_failed(error.user_id, form.email.data, this_client(), key)
            form.password.errors = [_("That email and password don't match.")]
        except RateLimited as error:
            return refused(form.password, error, lambda: sign_in_page(form))
    return sign_in_page(form), 422


def destination() -> tuple[str, RecoveredForm | None]:
    """Return where the reader was going, and the form that is carried there through the sign-in."""
    target = local_path(request.args.get("next"), default=url_for("notes.index"))
    return target, form_recovery.carried_form(target)


def go_on(user: User, *, remember: bool) -> Answer:
    """Sign this browser in, and lead the reader on. Raises: WrongCredentials, as `browser_session.begin`."""
    target, carried = destination()
    browser_session.begin(user, remember=remember)
    return form_recovery.offer(carried) if carried else redirect(target)


@bp.post("/sign-in/again")
@public
def sign_in_again() -> Answer:
    """Show sign-in for a form that was posted without a session. It carries the typed text and changes nothing."""
    target, _carried = destination()
    form = form_recovery.posted_form(target)
    if form is None:
        return redirect(url_for("accounts.sign_in", next=target))
    return sign_in_page(SignInForm(formdata=None), kept=form)


csrf.exempt(sign_in_again)  # its token belongs to the lost session


def sign_in_page(form: SignInForm, kept: RecoveredForm | None = None, answered: FlaskForm | None = None) -> str:
    """Render the page with the text that is carried on. `answered`: the answer of a passkey, with its error."""
    if kept is None and request.method == "POST":  # a GET carries none
        kept = destination()[1]
    return render_template("accounts/sign_in.html", form=form, kept=kept, refused=answered)


@bp.post("/sign-out")
def sign_out() -> Answer:
    sessions.end_session(current_user.session_id)
    browser_session.sign_out()
    flash(_("You're signed out. See you soon."))
    return redirect(url_for("accounts.sign_in"))


@bp.get("/mypage/devices")
def list_devices() -> Answer:
    shown = sessions.list_devices(current_user.id, current_user.session_id)
    return render_template("accounts/devices.html", devices=shown, most=sessions.MOST)


@bp.post("/mypage/devices/<id:session_id>/sign-out")
@recent_sign_in_required(lazy_gettext("Sign out another device"))
def sign_out_device(session_id: int) -> Answer:
    try:
        sessions.sign_out_device(current_user.id, session_id, this_client())
    except sessions.DeviceGone:
        abort(404)
    flash(_("That device is signed out."))
    return redirect(url_for("accounts.list_devices"))


@bp.post("/mypage/devices/sign-out-others")
@recent_sign_in_required(lazy_gettext("Sign out all other devices"))
def sign_out_other_devices() -> Answer:
    sessions.sign_out_others(current_user.id, current_user.session_id, this_client())
    flash(_("You're signed out on all other devices."))
    return redirect(url_for("accounts.list_devices"))


@bp.get("/mypage/events")
def list_events() -> Answer:
    shown, older = events.list_events(current_user.id, requested_cursor(events.KEY_BOUNDS))
    return render_template("accounts/events.html", events=shown, older=older)


@token_bp.get("", endpoint="index")
@recent_sign_in_required(lazy_gettext("Access tokens"))
def list_tokens() -> Answer:
    return token_page(AccessTokenForm(formdata=None))


@token_bp.post("", endpoint="make")
@recent_sign_in_required(lazy_gettext("Create an access token"))
def make_token() -> Answer:
    """Show the new token, as no other page ever does."""
    form = AccessTokenForm()
    if form.validate():
        scopes, days = form.scopes.data, form.days
        try:
            token = access_tokens.make_token(current_user.id, form.name.data, scopes, days, this_client())
        except access_tokens.TooManyTokens:
            form.name.errors = [_("You've reached the limit for access tokens. Revoke one first.")]
        else:
            return render_template("accounts/access_token_made.html", token=token)
    return token_page(form), 422


@token_bp.post("/<id:token_id>/end", endpoint="end")
@recent_sign_in_required(lazy_gettext("Revoke an access token"))
def end_token(token_id: int) -> Answer:
    try:
        access_tokens.end_token(current_user.id, token_id, this_client())
    except access_tokens.TokenGone:
        abort(404)
    flash(_("Access token revoked. The program that used it can't reach your account any more."))
    return redirect(url_for("access_tokens.index"))


def token_page(form: AccessTokenForm) -> str:
    shown = access_tokens.list_tokens(current_user.id)
    return render_template("accounts/access_tokens.html", form=form, tokens=shown, most=access_tokens.MOST)
