"""/profile: the nickname, the language, the time zone and the photo."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from flask import abort, request
from pydantic import Field
from werkzeug.wrappers import Response

from app.accounts import nicknames
from app.accounts import service as accounts
from app.accounts.forms import NICKNAME_TAKEN, NicknameForm, SettingsForm
from app.accounts.models import Account
from app.accounts.service import NicknameTaken
from app.api.document import Answer, caller, has_signed_token, operation
from app.api.messages import answer, checked, wrong_value
from app.photos import service as photos
from app.photos.containers import PhotoRejected
from app.photos.decoding import UPLOAD_LIMIT
from app.photos.forms import SENTENCES
from app.schemas import Body
from app.web.fields import rejection_sentence
from app.web.request_size import accepts_upload


class Profile(Answer):
    email: str
    nickname: str
    language: str | None = Field(description="ko or en; null: as each browser asks")
    time_zone: str | None = Field(description="an IANA name; null: as each browser asks")
    photo_url: str | None
    created_at: datetime


class ChangedProfile(Body):
    """Fields that are left out stay as they are."""

    nickname: str = Field("", json_schema_extra={"maxLength": nicknames.MAX_LENGTH}, examples=["Half Moon"])
    language: Literal["ko", "en"] | None = Field(None, description="null: as each browser asks", examples=["en"])
    time_zone: str | None = Field(None, min_length=1, description="null: as each browser asks", examples=["Asia/Seoul"])


@operation("GET", "/profile", "profile:read", Profile)
def show_profile() -> Response:
    """Your profile"""
    return profile_of(caller())


@operation("PATCH", "/profile", "profile:write", Profile)
def change_profile(body: ChangedProfile) -> Response:
    """Change your profile"""
    who, sent = caller(), body.model_dump(exclude_unset=True)
    changes: dict[str, Any] = {name: value or None for name, value in sent.items()}
    asked = replace(who, **changes)
    # All of it is checked before any of it is changed.
    if "nickname" in sent:
        asked = replace(asked, nickname=checked(NicknameForm, {"nickname": asked.nickname}).nickname.data)
    if sent.keys() - {"nickname"}:
        settings = checked(SettingsForm, {"language": asked.language or "", "time_zone": asked.time_zone or ""})
        asked = replace(asked, time_zone=settings.time_zone.data or None)
    if "nickname" in sent:
        try:
            accounts.change_nickname(who.id, asked.nickname)
        except NicknameTaken as error:
            raise wrong_value("#/nickname", str(NICKNAME_TAKEN)) from error
    if sent.keys() - {"nickname"}:
        accounts.change_settings(who.id, language=asked.language, time_zone=asked.time_zone)
    return profile_of(asked)


@operation("PUT", "/profile/photo", "profile:write", sends=("image/*", "application/octet-stream"))
@accepts_upload(UPLOAD_LIMIT, by=has_signed_token)
def put_photo() -> None:
    """Show another photo

    The body is a JPEG, PNG, GIF or WebP of up to 5 MB. The largest square in its middle is shown.
    """
    if not request.mimetype.startswith("image/") and request.mimetype != "application/octet-stream":
        abort(415)
    try:
        photos.put_photo(caller().id, request.get_data())
    except PhotoRejected as error:
        raise wrong_value("#", rejection_sentence(error, SENTENCES)) from error


@operation("DELETE", "/profile/photo", "profile:write")
def delete_photo() -> None:
    """Show no photo"""
    photos.remove_photo(caller().id)


def profile_of(who: Account) -> Response:
    names = ("email", "nickname", "language", "time_zone", "created_at")
    return answer({**{name: getattr(who, name) for name in names}, "photo_url": who.image_url})
