"""The pages behind the links in mails, and the pages that ask for one: for a new account or a new password.

What opens a link is often a program that looks for malware, so a GET changes nothing: the button of the page posts. Our
log leaves the token out (app/web/logs.py), and the Referrer-Policy tells other sites no path (app/web/headers.py).
"""

from flask import Blueprint, abort, flash, redirect, render_template, session, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.accounts import browser_session, changes, tokens
from app.accounts.forms import NICKNAME_TAKEN, AddressForm, ForgottenPasswordForm, NewAccountForm, NewPasswordForm
from app.accounts.service import EmailTaken, NicknameTaken
from app.limits import rate_limits
from app.limits.rate_limits import Limit, RateLimited
from app.mail import message
from app.web.access import public
from app.web.answers import Answer
from app.web.errors import settle_reader
from app.web.locale import reader_locale
from app.web.proxy import client_network
from app.web.throttling import refused

bp = Blueprint("mailed_links", __name__)


@bp.errorhandler(tokens.TokenExpired)
@bp.errorhandler(EmailTaken)
def link_expired(error: tokens.TokenExpired | EmailTaken) -> Answer:
    settle_reader()
    page = "account_exists" if isinstance(error, EmailTaken) else "link_expired"
    return render_template(f"accounts/{page}.html"), 410


@bp.route("/forgot-password", methods=["GET", "POST"])
@public
def forgot_password() -> Answer:
    if not message.is_enabled():
        abort(404)
    form, template = ForgottenPasswordForm(), "accounts/forgot_password.html"
    # The limits are those of an unknown address, too.
    if refusal := ask_for_address(form, template, rate_limits.MAILS_BY_ADDRESS, rate_limits.RESETS_TO):
        return refusal
    changes.ask_to_reset_password(form.email.data, reader_locale())
    return render_template("accounts/link_sent.html")


def ask_to_sign_up() -> Answer:
    """Answer /sign-up where mail can be sent: a known and an unknown address get the same after the same work."""
    form, template = AddressForm(), "accounts/sign_up_by_mail.html"
    if refusal := ask_for_address(form, template, rate_limits.SIGN_UP_BY_ADDRESS, rate_limits.SIGN_UPS_TO):
        return refusal
    tokens.ask_to_sign_up(form.email.data, reader_locale())
    return render_template("accounts/sign_up_link_sent.html", email=form.email.data)


def ask_for_address(
    form: AddressForm | ForgottenPasswordForm, template: str, by_network: Limit, by_email: Limit
) -> Answer | None:
    """Return the page that asks for an address, None once it has a valid one to which a letter may be sent."""
    if not form.validate_on_submit():
        return render_template(template, form=form), 422 if form.is_submitted() else 200
    try:
        rate_limits.take(by_network, client_network())
        rate_limits.take(by_email, form.email.data)
    except RateLimited as error:
        return refused(form.email, error, lambda: render_template(template, form=form))
    return None


@bp.route("/sign-up/<token>", methods=["GET", "POST"])
@public
def sign_up(token: str) -> Answer:
    email = tokens.read_sign_up(token)
    form = NewAccountForm(email)

    def page() -> str:
        return render_template("accounts/new_account.html", form=form, email=email)

    if not form.validate_on_submit():
        return page(), 422 if form.is_submitted() else 200
    try:
        rate_limits.take(rate_limits.SIGN_UP_BY_LINK, email)
        user = tokens.open_account(token, form.nickname.data, form.password.data)
    except (NicknameTaken, RateLimited) as error:  # nicknames are public, so this tells nothing
        return refused(form.nickname, error, page, {NicknameTaken: NICKNAME_TAKEN})
    browser_session.begin(user, remember=False)
    return redirect(url_for("notes.index"))


@bp.route("/new-password/<token>", methods=["GET", "POST"])
@public
def new_password(token: str) -> Answer:
    _user_id, email = tokens.read(token, tokens.RESET_PASSWORD)
    form = NewPasswordForm(email)
    if not form.validate_on_submit():
        page = render_template("accounts/new_password.html", form=form, email=email)
        return page, 422 if form.is_submitted() else 200
    changes.reset_password(token, form.new_password.data, reader_locale(), browser_session.this_client())
    session.clear()  # a session of the account has ended, and another account's is not what was asked for
    flash(_("Your new password is set. Sign in with it."))
    return redirect(url_for("accounts.sign_in"))


@bp.get("/confirm-email/<token>")
@public
def confirm_email(token: str) -> Answer:
    _user_id, email = tokens.read(token, tokens.CONFIRM_EMAIL)
    return render_template("accounts/confirm_email.html", email=email, changes=False)


@bp.post("/confirm-email/<token>")
@public
def confirm_email_now(token: str) -> Answer:
    changes.confirm_email(token)
    flash(_("Your email address is confirmed."))
    return redirect(after_confirming())


@bp.get("/new-email/<token>")
@public
def change_email(token: str) -> Answer:
    _user_id, email = tokens.read(token, tokens.CHANGE_EMAIL)
    return render_template("accounts/confirm_email.html", email=email, changes=True)


@bp.post("/new-email/<token>")
@public
def change_email_now(token: str) -> Answer:
    session_id = current_user.session_id if current_user.is_authenticated else None
    try:
        changes.change_email(token, session_id, browser_session.this_client())
    except EmailTaken:
        flash(_("Another account uses this address now, so yours wasn't changed."), "wrong")
    else:
        flash(_("Your email address was changed, and other devices were signed out."))
    return redirect(after_confirming())


def after_confirming() -> str:
    return url_for("mypage.index" if current_user.is_authenticated else "accounts.sign_in")


@bp.post("/mypage/confirm-email")
def send_confirmation_again() -> Answer:
    if not message.is_enabled():
        abort(404)
    rate_limits.take(rate_limits.EMAIL_CONFIRMATIONS, current_user.id)
    changes.send_confirmation(current_user.id, reader_locale())
    flash(_("We've sent you an email with a link."))
    return redirect(url_for("mypage.index"))
