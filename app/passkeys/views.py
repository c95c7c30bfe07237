"""Sign in by a passkey, alone or after the password, or show who is there (re-authentication); My page → Passkeys.

Each way has two requests. The first one asks for a challenge, as JSON for passkeys.js. The second one posts the
browser's answer with a form of the page, so that it goes on, or is refused, as a typed password would. The site that a
passkey is made for (WebAuthn's relying party) is the host of SITE_URL, else that of the request.
"""

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import browser_session, events, tokens
from app.accounts.browser_session import counted, device_name, this_client
from app.accounts.forms import SignInForm
from app.accounts.models import EventKind, User
from app.accounts.recent_sign_in import PasskeyNotAccepted, recent_sign_in_required
from app.accounts.views import destination, go_on, sign_in_page
from app.limits import rate_limits
from app.limits.rate_limits import RateLimited
from app.passkeys import service, two_step
from app.passkeys.forms import SENTENCES, AnswerForm, NameForm, PasskeyForm, RecoveryCodeForm, sentence_of
from app.passkeys.service import REGISTER, ChallengeExpired, PasskeyCopied, PasskeyRefused, RelyingParty
from app.web.access import public
from app.web.answers import Answer, refused
from app.web.errors import settle_reader
from app.web.proxy import client_address, client_network, own_origin, parse_address

log = logging.getLogger(__name__)
sign_in_bp = Blueprint("passkey_sign_in", __name__, url_prefix="/sign-in")
bp = Blueprint("passkeys", __name__, url_prefix="/mypage/passkeys")
bp.record_once(lambda state: state.app.extensions.update(confirm_by_passkey=confirm))  # for app/accounts

PORTS = {"http": 80, "https": 443}  # which an origin does not name
PAGE = "passkeys.index"  # the forms stand on it


@bp.app_template_global()  # a page offers passkeys where there is one
def relying_party() -> RelyingParty | None:
    """Return this site; None where the page was opened by another name than the site's, or by an IP address."""
    site = party_at(current_app.config["SITE_URL"] or own_origin())
    return site if site and site.id == urlsplit(own_origin()).hostname else None


def place_for_passkeys() -> str | None:
    """Return the address at which this site has passkeys, if it has one and it is not the one of this request."""
    site = party_at(current_app.config["SITE_URL"])
    return site.origin if site and not relying_party() else None


def party_at(address: str) -> RelyingParty | None:
    """Return the site with its origin as a browser writes it: lower-case, without the port that is the scheme's own."""
    url = urlsplit(address)
    if not url.hostname or parse_address(url.hostname):
        return None
    port = f":{url.port}" if url.port and url.port != PORTS.get(url.scheme) else ""
    return RelyingParty(url.hostname, f"{url.scheme}://{url.hostname}{port}")


@sign_in_bp.errorhandler(tokens.SecondStepExpired)
def second_step_expired(error: tokens.SecondStepExpired) -> Answer:
    settle_reader()
    session.pop(browser_session.SECOND_STEP, None)
    flash(_("That took too long. Sign in again."), "wrong")
    return redirect(url_for("accounts.sign_in", next=request.args.get("next") or None))


@sign_in_bp.post("/passkey/options")
@public
def sign_in_options() -> Response:
    return ask(service.SIGN_IN)


@sign_in_bp.post("/passkey")
@public
def sign_in() -> Answer:
    """Sign in whose passkey it is. It is two factors, so no second step follows."""
    form = AnswerForm()
    if not form.validate():
        return refused_sign_in_page(form), 422
    try:
        user = answered(service.SIGN_IN, form.credential.data)
    except (ChallengeExpired, PasskeyRefused, RateLimited) as error:
        return refused(form.credential, error, lambda: refused_sign_in_page(form), SENTENCES)
    return go_on(user, remember=form.remember.data)


@sign_in_bp.route("/second-step", methods=["GET", "POST"])
@public
def ask_second_step() -> str:
    """Show the second step. A POST brings the form that is carried through the sign-in, and changes nothing."""
    awaited()
    return second_step_page(RecoveryCodeForm(formdata=None))


@sign_in_bp.post("/second-step/options")
@public
def second_step_options() -> Response:
    return ask(service.SECOND_STEP, awaited()[1])


@sign_in_bp.post("/second-step/passkey")
@public
def take_second_step() -> Answer:
    token, user_id = awaited()
    form = AnswerForm()
    if not form.validate():
        return second_step_page(form), 422
    try:
        answered(service.SECOND_STEP, form.credential.data, user_id)
    except (ChallengeExpired, PasskeyRefused, RateLimited) as error:
        return refused(form.credential, error, lambda: second_step_page(form), SENTENCES)
    user, remember = two_step.sign_in_with_passkey(token)
    return go_on(user, remember=remember)


@sign_in_bp.post("/second-step/recovery-code")
@public
def take_second_step_with_code() -> Answer:
    token, user_id = awaited()
    form = RecoveryCodeForm()
    if not form.validate():
        return second_step_page(form), 422
    try:
        with counted(rate_limits.RECOVERY_CODES, user_id):
            user, remember = two_step.sign_in_with_code(token, form.code.data, this_client())
    except (two_step.WrongRecoveryCode, RateLimited) as error:
        if isinstance(error, two_step.WrongRecoveryCode):
            events.refused(user_id, EventKind.RECOVERY_CODE_REFUSED, this_client())
        return refused(form.code, error, lambda: second_step_page(form), SENTENCES)
    return go_on(user, remember=remember)


@sign_in_bp.post("/confirm/passkey/options")
def confirm_options() -> Response:
    return ask(service.CONFIRM, current_user.id)


def confirm(answer: str) -> User:
    """Return who has shown a passkey again, for accounts/recent_sign_in.py. Raises: PasskeyNotAccepted, RateLimited."""
    try:
        return answered(service.CONFIRM, answer, current_user.id)
    except (ChallengeExpired, PasskeyRefused) as error:
        raise PasskeyNotAccepted(sentence_of(error)) from error


def cookie_key(purpose: str) -> str:
    """Return where the session cookie keeps the id of a challenge: a passkey may confirm that another one is added."""
    return f"challenge_{purpose}"


def ask(purpose: str, user_id: int | None = None) -> Response:
    """Answer with a challenge for this browser. Raises: RateLimited."""
    party = relying_party() or abort(404)
    rate_limits.take(rate_limits.PASSKEYS_BY_ADDRESS, client_network())
    session[cookie_key(purpose)], options = service.ask_to_sign_in(party, purpose, user_id)
    return jsonify(options)


def answered(purpose: str, answer: str, user_id: int | None = None) -> User:
    """Return who has answered this browser's challenge. Raises: ChallengeExpired, PasskeyRefused, RateLimited.

    A refusal is in the log (ASVS 5.0 V16.3.1): whose account it was is not known, so no owner reads of it.
    """
    party = relying_party() or abort(404)
    try:
        user = service.authenticate(party, session.pop(cookie_key(purpose), None), purpose, answer, user_id)
    except PasskeyCopied as error:
        log.error("a passkey seems to be copied: %s address=%s", error, client_address())
        raise
    except PasskeyRefused as error:
        log.warning("sign-in failed: passkey address=%s reason=%r", client_address(), str(error))
        raise
    rate_limits.take(rate_limits.PASSKEY_SIGN_INS, user.id)
    return user


def refused_sign_in_page(refused: AnswerForm) -> str:
    return sign_in_page(SignInForm(formdata=None, remember=refused.remember.data), answered=refused)


def second_step_page(form: AnswerForm | RecoveryCodeForm) -> str:
    code_form = form if isinstance(form, RecoveryCodeForm) else RecoveryCodeForm(formdata=None)
    next_page, kept = request.args.get("next") or None, destination()[1]
    return render_template("passkeys/second_step.html", form=code_form, refused=form, next=next_page, kept=kept)


def awaited() -> tuple[str, int]:
    """Return the token of the second step that this browser is to take, and who takes it. Raises: SecondStepExpired."""
    token = str(session.get(browser_session.SECOND_STEP, ""))
    user, _remember = tokens.read_second_step(token)
    return token, user.id


@bp.get("")
@recent_sign_in_required(lazy_gettext("Passkeys"))
def index() -> Answer:
    form = PasskeyForm(formdata=None)
    # After the device that asks; a passkey may be made on another one, so it can be changed.
    form.name.data = device_name(request.user_agent.string) or _("Passkey")
    return list_page(form)


@bp.post("/options")
@recent_sign_in_required(lazy_gettext("Add a passkey"))
def registration_options() -> Answer:
    """Return what passkeys.js asks the browser."""
    party = relying_party() or abort(404)
    rate_limits.take(rate_limits.PASSKEYS_BY_ADDRESS, client_network())
    try:
        me = current_user
        session[cookie_key(REGISTER)], options = service.ask_to_register(party, me.id, me.email, me.nickname)
    except service.TooManyPasskeys as error:
        return jsonify(detail=sentence_of(error)), 409
    return jsonify(options)


@bp.post("")
@recent_sign_in_required(lazy_gettext("Add a passkey"))
def create() -> Answer:
    """Store what the browser answered. Where the password was asked for first, the page that comes asks the browser."""
    party = relying_party() or abort(404)
    form = PasskeyForm()
    if "begin" in request.form and not form.credential.data:
        return list_page(form, begins=True)
    if not form.validate():
        return list_page(form), 422
    try:
        challenge_id = session.pop(cookie_key(REGISTER), None)
        service.add_passkey(party, challenge_id, current_user.id, form.credential.data, form.name.data, this_client())
    except (ChallengeExpired, PasskeyRefused, service.PasskeyTaken, service.TooManyPasskeys) as error:
        form.credential.errors = [sentence_of(error)]
        return list_page(form), 422
    flash(_("Passkey added. You can sign in with it now."))
    return redirect(url_for(PAGE))


@bp.route("/<id:passkey_id>", methods=["GET", "POST"])
@recent_sign_in_required(lazy_gettext("Rename a passkey"))
def rename(passkey_id: int) -> Answer:
    name = service.get_name(current_user.id, passkey_id)
    form = NameForm(name=name)
    if not form.validate_on_submit():
        page = render_template("passkeys/edit.html", form=form, passkey_id=passkey_id, name=name)
        return page, 422 if form.is_submitted() else 200
    service.rename_passkey(current_user.id, passkey_id, form.name.data)
    return redirect(url_for(PAGE))


@bp.post("/<id:passkey_id>/delete")
@recent_sign_in_required(lazy_gettext("Remove passkey"))
def remove(passkey_id: int) -> Answer:
    try:
        service.remove_passkey(current_user.id, passkey_id, this_client())
    except service.LastPasskey as error:
        flash(sentence_of(error), "wrong")
    else:
        flash(_("Passkey removed. You can't sign in with it anymore. Delete it from your device too."))
    return redirect(url_for(PAGE))


@bp.post("/second-step")
@recent_sign_in_required(lazy_gettext("Turn on two-step sign-in"))
def turn_on_second_step() -> Answer:
    return show_codes(two_step.turn_on)


@bp.post("/second-step/off")
@recent_sign_in_required(lazy_gettext("Turn off two-step sign-in"))
def turn_off_second_step() -> Answer:
    two_step.turn_off(current_user.id, this_client())
    flash(_("You now sign in with your password alone. Your recovery codes no longer work."))
    return redirect(url_for(PAGE))


@bp.post("/recovery-codes")
@recent_sign_in_required(lazy_gettext("Create new recovery codes"))
def make_recovery_codes() -> Answer:
    return show_codes(two_step.new_codes)


def show_codes(make: Callable[[int, events.Client], list[str]]) -> Answer:
    """Answer with the page of the codes, not a redirect: nothing that could show them again is stored."""
    try:
        with rate_limits.spent(rate_limits.RECOVERY_CODE_SETS, current_user.id):
            codes = make(current_user.id, this_client())
    except (service.NoPasskey, two_step.NotTurnedOn) as error:
        flash(sentence_of(error), "wrong")
        return redirect(url_for(PAGE))
    return render_template("passkeys/codes.html", codes=codes)


def list_page(form: PasskeyForm, *, begins: bool = False) -> str:
    overview, place = service.overview(current_user.id), place_for_passkeys()
    return render_template(
        "passkeys/index.html", form=form, begins=begins, overview=overview, most=service.MOST, place=place
    )
