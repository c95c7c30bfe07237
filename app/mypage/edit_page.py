"""The edit page: the forms of accounts and photos, one of which may have been refused."""

from datetime import UTC, datetime

from flask import render_template
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import Field

from app import time_zones
from app.accounts.forms import DeletionForm, EmailForm, NicknameForm, PasswordForm, SettingsForm
from app.limits.rate_limits import RateLimited
from app.photos.forms import PhotoForm
from app.web.locale import reader_locale
from app.web.throttling import retry_after, wait_sentence

Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


def edit_page(refused: FlaskForm | None = None) -> str:
    """The page with its forms. The refused one keeps the typed text and says why."""
    settings_form = SettingsForm(
        formdata=None, language=current_user.language or "", time_zone=current_user.time_zone or ""
    )
    forms = {
        "photo_form": PhotoForm(formdata=None),
        "nickname_form": NicknameForm(formdata=None, nickname=current_user.nickname),
        "password_form": PasswordForm(formdata=None),
        "email_form": EmailForm(formdata=None),
        "settings_form": settings_form,
        "deletion_form": DeletionForm(formdata=None),
    }
    for name, form in forms.items():
        if type(form) is type(refused):
            forms[name] = refused
    return render_template(
        "mypage/edit.html",
        **forms,
        refused=refused,
        zones=time_zones.of_no_region(settings_form.time_zone.data),
        regions=time_zones.regions(reader_locale(), datetime.now(UTC)),
    )


def limited_page(form: FlaskForm, field: Field, error: RateLimited) -> Answer:
    field.errors = [wait_sentence(error)]
    return edit_page(form), 429, retry_after(error)
