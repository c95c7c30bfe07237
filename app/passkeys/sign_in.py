"""Sign in by a passkey: alone, after the password, and once more for what asks who is there (re-authentication).

Each way has two requests. The first one asks for a challenge, as JSON for passkeys.js. The second one posts the
browser's answer with a form of the page, so that it goes on, or is refused, as a typed password would.

The site that a passkey is made for (WebAuthn's relying party) is the host of SITE_URL, else that of the request, which
TRUSTED_HOSTS bounds. A passkey belongs to one host name for good. An IP address is none, so there are passkeys at
localhost and none at 127.0.0.1.
"""

import logging
from urllib.parse import SplitResult, urlsplit

from flask import Blueprint, abort, current_app, flash, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import browser_session, events, tokens
from app.accounts.browser_session import counted, this_client
from app.accounts.forms import SignInForm
from app.accounts.models import EventKind, User
from app.accounts.recent_sign_in import PasskeyNotAccepted
from app.accounts.tokens import SecondStepExpired
from app.accounts.views import destination, go_on, sign_in_page
from app.limits import rate_limits
from app.limits.rate_limits import RateLimited
from app.passkeys import service, two_step
from app.passkeys.forms import SENTENCES, AnswerForm, RecoveryCodeForm, sentence_of
from app.passkeys.service import ChallengeExpired, PasskeyCopied, PasskeyRefused, RelyingParty
from app.passkeys.two_step import WrongRecoveryCode
from app.web.access import public
from app.web.answers import Answer
from app.web.errors import settle_reader
from app.web.proxy import client_address, client_network, own_origin, parse_address
from app.web.throttling import refused

log = logging.getLogger(__name__)
bp = Blueprint("passkey_sign_in", __name__, url_prefix="/sign-in")

PORTS = {"http": 80, "https": 443}  # which an origin does not name


def relying_party() -> RelyingParty | None:
    """Return this site; None where the page was opened by another name than the site's, or by an IP address."""
    here = urlsplit(own_origin())
    site = urlsplit(current_app.config["SITE_URL"]) if current_app.config["SITE_URL"] else here
    name = site.hostname
    if not name or name != here.hostname or parse_address(name):
        return None
    return RelyingParty(name, origin(site))


def relying_party_or_404() -> RelyingParty:
    party = relying_party()
    if party is None:
        abort(404)
    return party


def place_for_passkeys() -> str | None:
    """Return the address at which this site has passkeys, if it has one and it is not the one of this request."""
    site = urlsplit(current_app.config["SITE_URL"])
    return None if not site.hostname or parse_address(site.hostname) or relying_party() else origin(site)


def origin(url: SplitResult) -> str:
    """Return the origin as a browser writes it: lower-case, without the port that is the scheme's own."""
    port = f":{url.port}" if url.port and url.port != PORTS.get(url.scheme) else ""
    return f"{url.scheme}://{url.hostname}{port}"


@bp.errorhandler(SecondStepExpired)
def second_step_expired(error: SecondStepExpired) -> Answer:
    settle_reader()
    session.pop(browser_session.SECOND_STEP, None)
    flash(_("That took too long. Sign in again."), "wrong")
    return redirect(url_for("accounts.sign_in", next=request.args.get("next") or None))


@bp.post("/passkey/options")
@public
def sign_in_options() -> Response:
    return ask(service.SIGN_IN)


@bp.post("/passkey")
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


@bp.route("/second-step", methods=["GET", "POST"])
@public
def ask_second_step() -> str:
    """Show the second step. A POST brings the form that is carried through the sign-in, and changes nothing."""
    tokens.read_second_step(pending_token())
    return second_step_page(RecoveryCodeForm(formdata=None))


@bp.post("/second-step/options")
@public
def second_step_options() -> Response:
    return ask(service.SECOND_STEP, tokens.read_second_step(pending_token()).user.id)


@bp.post("/second-step/passkey")
@public
def take_second_step() -> Answer:
    token = pending_token()
    user_id = tokens.read_second_step(token).user.id
    form = AnswerForm()
    if not form.validate():
        return second_step_page(form), 422
    try:
        answered(service.SECOND_STEP, form.credential.data, user_id)
    except (ChallengeExpired, PasskeyRefused, RateLimited) as error:
        return refused(form.credential, error, lambda: second_step_page(form), SENTENCES)
    pending = two_step.sign_in_with_passkey(token)
    return go_on(pending.user, remember=pending.remember)


@bp.post("/second-step/recovery-code")
@public
def take_second_step_with_code() -> Answer:
    token = pending_token()
    user_id = tokens.read_second_step(token).user.id
    form = RecoveryCodeForm()
    if not form.validate():
        return second_step_page(form), 422
    try:
        with counted(rate_limits.RECOVERY_CODES, user_id):
            pending = two_step.sign_in_with_code(token, form.code.data, this_client())
    except (WrongRecoveryCode, RateLimited) as error:
        if isinstance(error, WrongRecoveryCode):
            events.refused(user_id, EventKind.RECOVERY_CODE_REFUSED, this_client())
        return refused(form.code, error, lambda: second_step_page(form), SENTENCES)
    return go_on(pending.user, remember=pending.remember)


@bp.post("/confirm/passkey/options")
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
    party = relying_party_or_404()
    rate_limits.take(rate_limits.PASSKEYS_BY_ADDRESS, client_network())
    session[cookie_key(purpose)], options = service.ask_to_sign_in(party, purpose, user_id)
    return jsonify(options)


def answered(purpose: str, answer: str, user_id: int | None = None) -> User:
    """Return who has answered this browser's challenge. Raises: ChallengeExpired, PasskeyRefused, RateLimited.

    A refusal is in the log (ASVS 5.0 V16.3.1): whose account it was is not known, so no owner reads of it.
    """
    party = relying_party_or_404()
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


def pending_token() -> str:
    return str(session.get(browser_session.SECOND_STEP, ""))
