"""My page → Passkeys: list, add, rename and remove them; the second step of sign-in, and its recovery codes."""

from collections.abc import Callable

from flask import Blueprint, flash, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app.accounts.browser_session import device_name, this_client
from app.accounts.events import Client
from app.accounts.recent_sign_in import recent_sign_in_required
from app.limits import rate_limits
from app.passkeys import service, two_step
from app.passkeys.forms import NameForm, PasskeyForm, sentence_of
from app.passkeys.service import REGISTER, ChallengeExpired, PasskeyRefused
from app.passkeys.sign_in import cookie_key, place_for_passkeys, relying_party, relying_party_or_404
from app.web.answers import Answer
from app.web.errors import show_error
from app.web.proxy import client_network

bp = Blueprint("passkeys", __name__, url_prefix="/mypage/passkeys")

PAGE = "passkeys.index"  # the forms stand on it


@bp.errorhandler(service.PasskeyNotFound)
def passkey_not_found(error: service.PasskeyNotFound) -> Response:
    return show_error(NotFound())


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
    party = relying_party_or_404()
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
    party = relying_party_or_404()
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
        flash(_("Passkey removed. You can't sign in with it any more. Delete it from your device too."))
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


def show_codes(make: Callable[[int, Client], list[str]]) -> Answer:
    """Answer with the page of the codes, not a redirect: nothing that could show them again is stored."""
    try:
        with rate_limits.spent(rate_limits.RECOVERY_CODE_SETS, current_user.id):
            codes = make(current_user.id, this_client())
    except (service.NoPasskey, two_step.NotTurnedOn) as error:
        flash(sentence_of(error), "wrong")
        return redirect(url_for(PAGE))
    return render_template("passkeys/codes.html", codes=codes)


@bp.app_template_global()
def has_passkeys_here() -> bool:
    """Let a page offer passkeys where the address at which it was opened allows them."""
    return relying_party() is not None


def list_page(form: PasskeyForm, *, begins: bool = False) -> str:
    return render_template(
        "passkeys/index.html",
        form=form,
        begins=begins,
        overview=service.overview(current_user.id),
        most=service.MOST,
        place=place_for_passkeys(),
    )
