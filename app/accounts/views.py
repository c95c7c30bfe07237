"""The landing page, sign-up, sign-in, sign-out; the links in mails; of my page the devices, the history and the tokens.

What opens a link in a mail is often a program that looks for malware, so a GET changes nothing: the button of the page
posts.
"""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf import FlaskForm

from app.accounts import access_tokens, browser_session, changes, events, forms, service, sessions, tokens
from app.accounts.browser_session import counted_sign_in, this_client
from app.accounts.models import User
from app.accounts.recent_sign_in import recent_sign_in_required
from app.accounts.service import EmailTaken, NicknameTaken
from app.extensions import csrf
from app.limits import rate_limits
from app.limits.rate_limits import Limit, RateLimited
from app.mail import message
from app.web import form_recovery
from app.web.access import local_path, public, requested_cursor
from app.web.answers import Answer, refused
from app.web.errors import settle_reader
from app.web.form_recovery import RecoveredForm
from app.web.locale import reader_locale
from app.web.proxy import client_network

bp = Blueprint("accounts", __name__)
link_bp = Blueprint("mailed_links", __name__)
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
    form = forms.SignUpForm()

    def page() -> str:
        return render_template("accounts/sign_up.html", form=form)

    if not form.validate_on_submit():
        return page(), 422 if form.is_submitted() else 200
    try:
        rate_limits.take(rate_limits.SIGN_UP_BY_ADDRESS, client_network())
        user = service.sign_up(form.email.data, form.nickname.data, form.password.data)
    except NicknameTaken as error:
        return refused(form.nickname, error, page, {NicknameTaken: forms.NICKNAME_TAKEN})
    except (EmailTaken, RateLimited) as error:
        taken = _("This address already has an account. Sign in instead.")
        return refused(form.email, error, page, {EmailTaken: taken})
    browser_session.begin(user, remember=False)
    changes.send_confirmation(user.id, reader_locale())  # in development, into a file
    return redirect(url_for("notes.index"))


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    form = forms.SignInForm()
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
    return sign_in_page(forms.SignInForm(formdata=None), kept=form)


csrf.exempt(sign_in_again)  # its token belongs to the lost session


def sign_in_page(form: forms.SignInForm, kept: RecoveredForm | None = None, answered: FlaskForm | None = None) -> str:
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


@link_bp.errorhandler(tokens.TokenExpired)
@link_bp.errorhandler(EmailTaken)
def link_expired(error: tokens.TokenExpired | EmailTaken) -> Answer:
    settle_reader()
    page = "account_exists" if isinstance(error, EmailTaken) else "link_expired"
    return render_template(f"accounts/{page}.html"), 410


@link_bp.route("/forgot-password", methods=["GET", "POST"])
@public
def forgot_password() -> Answer:
    if not message.is_enabled():
        abort(404)
    form, template = forms.ForgottenPasswordForm(), "accounts/forgot_password.html"
    # The limits are those of an unknown address, too.
    if refusal := ask_for_address(form, template, rate_limits.MAILS_BY_ADDRESS, rate_limits.RESETS_TO):
        return refusal
    changes.ask_to_reset_password(form.email.data, reader_locale())
    return render_template("accounts/link_sent.html")


def ask_to_sign_up() -> Answer:
    """Answer /sign-up where mail can be sent: a known and an unknown address get the same after the same work."""
    form, template = forms.AddressForm(), "accounts/sign_up_by_mail.html"
    if refusal := ask_for_address(form, template, rate_limits.SIGN_UP_BY_ADDRESS, rate_limits.SIGN_UPS_TO):
        return refusal
    tokens.ask_to_sign_up(form.email.data, reader_locale())
    return render_template("accounts/link_sent.html", email=form.email.data)


def ask_for_address(form: forms.AddressForm, template: str, by_network: Limit, by_email: Limit) -> Answer | None:
    """Return the page that asks for an address, None once it has a valid one to which a letter may be sent."""
    if not form.validate_on_submit():
        return render_template(template, form=form), 422 if form.is_submitted() else 200
    try:
        rate_limits.take(by_network, client_network())
        rate_limits.take(by_email, form.email.data)
    except RateLimited as error:
        return refused(form.email, error, lambda: render_template(template, form=form))
    return None


@link_bp.route("/sign-up/<token>", methods=["GET", "POST"], endpoint="sign_up")
@public
def sign_up_by_link(token: str) -> Answer:
    email = tokens.read_sign_up(token)
    form = forms.NewAccountForm(email)

    def page() -> str:
        return render_template("accounts/new_account.html", form=form, email=email)

    if not form.validate_on_submit():
        return page(), 422 if form.is_submitted() else 200
    try:
        rate_limits.take(rate_limits.SIGN_UP_BY_LINK, email)
        user = tokens.open_account(token, form.nickname.data, form.password.data)
    except (NicknameTaken, RateLimited) as error:  # nicknames are public, so this tells nothing
        return refused(form.nickname, error, page, {NicknameTaken: forms.NICKNAME_TAKEN})
    browser_session.begin(user, remember=False)
    return redirect(url_for("notes.index"))


@link_bp.route("/new-password/<token>", methods=["GET", "POST"])
@public
def new_password(token: str) -> Answer:
    _user_id, email = tokens.read(token, tokens.RESET_PASSWORD)
    form = forms.NewPasswordForm(email)
    if not form.validate_on_submit():
        page = render_template("accounts/new_password.html", form=form, email=email)
        return page, 422 if form.is_submitted() else 200
    changes.reset_password(token, form.new_password.data, reader_locale(), this_client())
    session.clear()  # a session of the account has ended, and another account's is not what was asked for
    flash(_("Your new password is set. Sign in with it."))
    return redirect(url_for("accounts.sign_in"))


@link_bp.get("/confirm-email/<token>")
@public
def confirm_email(token: str) -> Answer:
    _user_id, email = tokens.read(token, tokens.CONFIRM_EMAIL)
    return render_template("accounts/confirm_email.html", email=email, changes=False)


@link_bp.post("/confirm-email/<token>")
@public
def confirm_email_now(token: str) -> Answer:
    changes.confirm_email(token)
    flash(_("Your email address is confirmed."))
    return redirect(after_confirming())


@link_bp.get("/new-email/<token>")
@public
def change_email(token: str) -> Answer:
    _user_id, email = tokens.read(token, tokens.CHANGE_EMAIL)
    return render_template("accounts/confirm_email.html", email=email, changes=True)


@link_bp.post("/new-email/<token>")
@public
def change_email_now(token: str) -> Answer:
    session_id = current_user.session_id if current_user.is_authenticated else None
    try:
        changes.change_email(token, session_id, this_client())
    except EmailTaken:
        flash(_("Another account uses this address now, so yours wasn't changed."), "wrong")
    else:
        flash(_("Your email address was changed, and other devices were signed out."))
    return redirect(after_confirming())


def after_confirming() -> str:
    return url_for("mypage.index" if current_user.is_authenticated else "accounts.sign_in")


@link_bp.post("/mypage/confirm-email")
def send_confirmation_again() -> Answer:
    if not message.is_enabled():
        abort(404)
    rate_limits.take(rate_limits.EMAIL_CONFIRMATIONS, current_user.id)
    changes.send_confirmation(current_user.id, reader_locale())
    flash(_("We've sent you an email with a link."))
    return redirect(url_for("mypage.index"))


@bp.get("/mypage/devices")
def list_devices() -> Answer:
    shown = sessions.list_devices(current_user.id, current_user.session_id)
    return render_template("accounts/devices.html", devices=shown, most=sessions.MOST)


@bp.post("/mypage/devices/<id:session_id>/sign-out")
@recent_sign_in_required(lazy_gettext("Sign out another device"))
def sign_out_device(session_id: int) -> Answer:
    sessions.sign_out_device(current_user.id, session_id, this_client())
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
    return token_page(forms.AccessTokenForm(formdata=None))


@token_bp.post("", endpoint="make")
@recent_sign_in_required(lazy_gettext("Create an access token"))
def make_token() -> Answer:
    """Show the new token, as no other page ever does."""
    form = forms.AccessTokenForm()
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
    access_tokens.end_token(current_user.id, token_id, this_client())
    flash(_("Access token revoked. The program that used it can't reach your account anymore."))
    return redirect(url_for("access_tokens.index"))


def token_page(form: forms.AccessTokenForm) -> str:
    shown = access_tokens.list_tokens(current_user.id)
    return render_template("accounts/access_tokens.html", form=form, tokens=shown, most=access_tokens.MOST)
