"""The language and time zone of an account apply on all of its devices."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from tests.conftest import browser_of
from tests.visitor import Visitor


def settings_of(user: User) -> tuple[str | None, str | None]:
    row = db.session.execute(select(User.language, User.time_zone).where(User.id == user.id)).one()
    return row.language, row.time_zone


def language_cookie(browser: Visitor) -> str | None:
    cookie = browser.get_cookie("language")
    return cookie.value if cookie else None


def test_settings_apply_on_every_device_of_the_account_only(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    phone = browser_of(app, alice)
    answer = signed_in.submit("/mypage/settings", language="ko", time_zone="Asia/Seoul")
    assert answer.location == "/mypage"
    assert "언어와 시간대를 저장했어요." in signed_in.get("/mypage").text
    assert settings_of(alice) == ("ko", "Asia/Seoul")
    assert '<html lang="ko">' in phone.get("/mypage").text
    assert settings_of(bob) == (None, None)
    signed_in.submit("/sign-out")
    assert '<html lang="ko">' in signed_in.get("/sign-in").text


def test_empty_settings_follow_the_browser_again(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/mypage/settings", language="ko", time_zone="Europe/London")
    assert language_cookie(signed_in) == "ko"
    signed_in.submit("/mypage/settings", language="", time_zone="")
    assert settings_of(alice) == (None, None)
    assert language_cookie(signed_in) is None
    assert '<html lang="en">' in signed_in.get("/mypage", headers={"Accept-Language": "en"}).text
    assert '<html lang="ko">' in signed_in.get("/mypage", headers={"Accept-Language": "ko"}).text


@pytest.mark.parametrize(
    ("typed", "stored"), [("Asia/Calcutta", "Asia/Kolkata"), ("America/Indiana/Knox", "America/Indiana/Knox")]
)
def test_a_name_of_before_is_stored_as_its_place_and_one_that_is_not_listed_is_kept(
    signed_in: Visitor, alice: User, typed: str, stored: str
) -> None:
    assert signed_in.submit("/mypage/settings", language="", time_zone=typed).status_code == 302
    assert settings_of(alice) == (None, stored)
    assert re.search(rf'<option(?: value="{stored}")? selected>({stored}|Kolkata)', signed_in.get("/mypage/edit").text)


def test_a_row_with_a_name_of_before_is_read_as_its_place(signed_in: Visitor, alice: User) -> None:
    accounts.change_settings(alice.id, "en", "Asia/Calcutta")
    assert signed_in.get("/mypage").status_code == 200
    [(moment, shown)] = re.findall(r'<time datetime="(.*?)">(.*?)</time>', signed_in.get("/mypage/devices").text)
    there = datetime.fromisoformat(moment).astimezone(ZoneInfo("Asia/Kolkata"))
    assert shown.endswith(f", {there:%-I:%M %p}")
    edited = signed_in.get("/mypage/edit").text
    assert '<option value="Asia/Kolkata" selected>Kolkata (UTC+5:30)</option>' in edited
    assert "Calcutta" not in edited


def test_the_form_selects_the_current_settings(signed_in: Visitor) -> None:
    signed_in.submit("/mypage/settings", language="en", time_zone="Asia/Seoul")
    page = signed_in.get("/mypage/edit").text
    assert '<option value="Asia/Seoul" selected>Seoul (UTC+9)</option>' in page
    assert '<option lang="en" selected value="en">' in page


@pytest.mark.parametrize(
    ("language", "time_zone"),
    [
        ("fr", "Asia/Seoul"),
        ("ko\x00", ""),
        ("ko", "Mars/Phobos"),
        ("ko", "../../etc/passwd"),
        ("ko", "\ud800"),
    ],
)
def test_an_unknown_language_or_time_zone_is_refused_and_changes_nothing(
    signed_in: Visitor, alice: User, language: str, time_zone: str
) -> None:
    db.session.execute(update(User).where(User.id == alice.id).values(language="en", time_zone="Europe/Paris"))
    db.session.commit()
    zone = time_zone.encode("utf-8", "surrogatepass")
    answer = signed_in.submit("/mypage/settings", language=language, time_zone=zone)
    assert answer.status_code == 422
    assert "Please choose one from the list." in answer.text
    assert settings_of(alice) == ("en", "Europe/Paris")
    assert language_cookie(signed_in) is None


@pytest.mark.parametrize("fields", [{"language": "ko"}, {"time_zone": "Asia/Seoul"}])
def test_a_missing_setting_is_refused(signed_in: Visitor, alice: User, fields: dict[str, str]) -> None:
    assert signed_in.submit("/mypage/settings", **fields).status_code == 422
    assert settings_of(alice) == (None, None)
