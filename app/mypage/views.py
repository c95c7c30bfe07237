"""My page: see it, and change what is on it, sign devices out, or delete the account."""

from datetime import UTC, datetime

from flask import Blueprint, abort, current_app, flash, jsonify, redirect, render_template, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.exceptions import ServiceUnavailable, UnprocessableEntity
from werkzeug.wrappers import Response

from app.accounts import devices, session
from app.accounts.service import NicknameTaken
from app.mypage import service, zones
from app.mypage.forms import DeletionForm, NicknameForm, PasswordForm, PhotoForm, SettingsForm
from app.mypage.photo import PhotoBusy, PhotoRejected
from app.mypage.statistics import statistics
from app.web.cookies import keep
from app.web.errors import RETRY_AFTER, SENTENCES, error_response, show_error, wants_json
from app.web.kept import keeps
from app.web.limits import accepts_upload
from app.web.locale import browser_locale, reader_locale, reader_time_zone, today

bp = Blueprint("mypage", __name__, url_prefix="/mypage")

Answer = str | Response | tuple[str, int]


@bp.errorhandler(PhotoBusy)
def photo_busy(error: PhotoBusy) -> Response:
    return show_error(ServiceUnavailable(retry_after=RETRY_AFTER))


@bp.get("")
def index() -> Answer:
    portables, zone = current_app.extensions["portables"], reader_time_zone()
    figures = statistics(current_user.id, current_user.session_id, portables, zone, today())
    return render_template("mypage/index.html", statistics=figures)


@bp.get("/edit")
def edit() -> Answer:
    return edit_page()


def edit_page(refused: FlaskForm | None = None) -> str:
    """The page with its five forms, of which the refused one keeps what was typed and says why."""
    forms = {
        "photo_form": PhotoForm(formdata=None),
        "nickname_form": NicknameForm(formdata=None, nickname=current_user.nickname),
        "password_form": PasswordForm(formdata=None),
        "settings_form": SettingsForm(
            formdata=None, language=current_user.language or "", time_zone=current_user.time_zone or ""
        ),
        "deletion_form": DeletionForm(formdata=None),
    }
    for name, form in forms.items():
        if type(form) is type(refused):
            forms[name] = refused
    return render_template(
        "mypage/edit.html",
        **forms,
        refused=refused,
        zones=zones.of_no_region(current_user.time_zone),
        regions=zones.regions(reader_locale(), datetime.now(UTC)),
    )


@bp.post("/photo")
@accepts_upload
def put_photo() -> Answer:
    """For photo.js, which asks for JSON, the same answers as data: where to go, or what is wrong."""
    form = PhotoForm()
    if form.validate():
        [photo] = form.photo.data
        try:
            service.put_photo(current_user.id, photo.read(), form.crop)
        except PhotoRejected as error:
            form.refuse(error)
        else:
            flash(_("Your photo is changed."))
            page = url_for("mypage.index")
            return jsonify(location=page) if wants_json() else redirect(page)
    if wants_json():
        return error_response(UnprocessableEntity(), SENTENCES[422][0], form.photo.errors[0])
    return edit_page(form), 422


@bp.post("/photo/delete")
def delete_photo() -> Answer:
    service.remove_photo(current_user.id)
    flash(_("Your photo is removed."))
    return redirect(url_for("mypage.index"))


@bp.post("/nickname")
@keeps("nickname")
def change_nickname() -> Answer:
    form = NicknameForm()
    if form.validate():
        try:
            service.change_nickname(current_user.id, form.nickname.data)
        except NicknameTaken:
            form.nickname.errors = [_("This nickname is taken; please choose another one.")]
        else:
            flash(_("Your nickname is changed."))
            return redirect(url_for("mypage.index"))
    return edit_page(form), 422


@bp.post("/settings")
def change_settings() -> Answer:
    form = SettingsForm()
    if not form.validate():
        return edit_page(form), 422
    language = form.language.data
    service.change_settings(current_user.id, language or None, form.time_zone.data or None)
    with force_locale(language or browser_locale()):
        flash(_("Your language and time zone are saved."))
    answer = redirect(url_for("mypage.index"))
    if language:
        keep(answer, "language", language)  # for this browser when it is signed out
    else:
        answer.delete_cookie("language")
    return answer


@bp.post("/password")
def change_password() -> Answer:
    form = PasswordForm()
    if form.validate():
        try:
            user = service.change_password(current_user.id, form.current_password.data, form.new_password.data)
        except service.WrongPassword:
            form.current_password.errors = [_("This is not your current password.")]
        else:
            session.renew(user)
            flash(_("Your password is changed; other devices are signed out."))
            return redirect(url_for("mypage.index"))
    return edit_page(form), 422


@bp.get("/devices")
def list_devices() -> Answer:
    shown = devices.list_devices(current_user.id, current_user.session_id)
    return render_template("mypage/devices.html", devices=shown, most=devices.SHOWN)


@bp.post("/devices/<id:session_id>/sign-out")
def sign_out_device(session_id: int) -> Answer:
    try:
        devices.sign_out(current_user.id, session_id)
    except devices.DeviceGone:
        abort(404)
    if session_id == current_user.session_id:
        session.end()
        flash(_("You are signed out. See you soon."))
        return redirect(url_for("accounts.sign_in"))
    flash(_("That device is signed out."))
    return redirect(url_for("mypage.list_devices"))


@bp.post("/devices/sign-out-others")
def sign_out_other_devices() -> Answer:
    devices.sign_out_others(current_user.id, current_user.session_id)
    flash(_("All other devices are signed out."))
    return redirect(url_for("mypage.list_devices"))


@bp.post("/delete")
def delete_account() -> Answer:
    form = DeletionForm()
    if form.validate():
        try:
            service.delete_account(current_user.id, form.password.data)
        except service.WrongPassword:
            form.password.errors = [_("This is not your password.")]
        else:
            session.end()
            flash(_("Your account and everything in it is deleted."))
            return redirect(url_for("accounts.landing"))
    return edit_page(form), 422
