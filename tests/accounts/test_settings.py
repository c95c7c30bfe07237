"""The language and time zone of an account, which apply on all of its devices; and its deletion.

That asks for the password and deletes all data of that user, and no one else's.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.accounts import service as accounts
from app.accounts import tokens
from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.passkeys import service, two_step
from app.todos import service as todos
from tests.accounts.conftest import CAROL, CHOSEN, Post, link_for
from tests.accounts.test_sign_up import change_address, delete_account
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import row_counts, same_row_counts
from tests.passkeys.conftest import add_passkey
from tests.samples import samples
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
    assert signed_in.submit("/mypage/settings", language="ko", time_zone="Asia/Seoul").location == "/mypage"
    assert "언어와 시간대를 저장했어요." in signed_in.get("/mypage").text
    assert settings_of(alice) == ("ko", "Asia/Seoul")
    edited = phone.get("/mypage/edit").text
    assert '<html lang="ko">' in edited
    assert '<option lang="ko" selected value="ko">' in edited
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


def test_a_name_of_before_is_stored_as_its_place_and_one_not_listed_is_kept(signed_in: Visitor, alice: User) -> None:
    for typed, stored in (("Asia/Calcutta", "Asia/Kolkata"), ("America/Indiana/Knox", "America/Indiana/Knox")):
        assert signed_in.submit("/mypage/settings", language="", time_zone=typed).status_code == 302
        assert settings_of(alice) == (None, stored)
        selected = rf'<option(?: value="{stored}")? selected>({stored}|Kolkata)'
        assert re.search(selected, signed_in.get("/mypage/edit").text)


def test_a_row_with_a_name_of_before_is_read_as_its_place(signed_in: Visitor, alice: User) -> None:
    accounts.change_settings(alice.id, language="en", time_zone="Asia/Calcutta")
    assert signed_in.get("/mypage").status_code == 200
    [(moment, shown)] = re.findall(r'<time datetime="(.*?)">(.*?)</time>', signed_in.get("/mypage/devices").text)
    there = datetime.fromisoformat(moment).astimezone(ZoneInfo("Asia/Kolkata"))
    assert shown.endswith(f", {there:%-I:%M %p}")
    edited = signed_in.get("/mypage/edit").text
    assert '<option value="Asia/Kolkata" selected>Kolkata (UTC+5:30)</option>' in edited
    assert "Calcutta" not in edited


def test_an_unknown_or_no_language_or_time_zone_is_refused_and_changes_nothing(signed_in: Visitor, alice: User) -> None:
    accounts.change_settings(alice.id, language="en", time_zone="Europe/Paris")
    zones = ["Mars/Phobos", "../../etc/passwd", b"\xed\xa0\x80"]  # the last: half a character
    wrong: list[dict[str, Any]] = [{"language": "ko", "time_zone": zone} for zone in zones]
    wrong += [{"language": language, "time_zone": ""} for language in ("fr", "ko\x00")]
    for fields in [*wrong, {"language": "ko"}, {"time_zone": "Asia/Seoul"}]:
        answer = signed_in.submit("/mypage/settings", **fields)
        assert (answer.status_code, "Please choose one from the list." in answer.text) == (422, True), fields
    assert settings_of(alice) == ("en", "Europe/Paris")
    assert language_cookie(signed_in) is None


def test_deleting_an_account_deletes_all_its_rows_alone(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    browser_of(app, alice)
    for user in (alice, bob):
        notes.delete_note(user.id, notes.create_note(user.id, "in the trash", ""))
        notes.create_note(user.id, "kept", "")
        todos.create_todo(user.id, "buy books")
        for each in samples():
            each.own(user)
        tokens.draw(tokens.reserve(user.id, tokens.CONFIRM_EMAIL, user.email))
        add_passkey(user)
        two_step.turn_on(user.id, CLIENT)
        service.draw_challenge(service.CONFIRM, user.id)
        tokens.start_second_step(user, remember=False)
    of_features = {each.table: row_counts()[each.table] // 2 for each in samples()}
    assert signed_in.submit("/mypage/delete", password=PASSWORD).location == "/"
    assert "deleted" in signed_in.get("/").text
    left = {table: count for table, count in row_counts().items() if count}
    of_bob = {"users": 1, "account_tokens": 1, "notes": 2, "todos": 1, **of_features}
    assert left == of_bob | {"pending_sign_ins": 1, "passkeys": 1, "recovery_codes": 10, "passkey_challenges": 1}


def test_a_wrong_password_is_refused_and_deletes_nothing(signed_in: Visitor, alice: User) -> None:
    notes.create_note(alice.id, "kept", "")
    with same_row_counts():
        for password in ("", PASSWORD.upper()):
            answer = signed_in.submit("/mypage/delete", password=password)
            assert (answer.status_code, 'class="error"' in answer.text) == (422, True), password
    assert signed_in.get("/notes").status_code == 200


@pytest.mark.parametrize(("leave", "name"), [(delete_account, "carol"), (change_address, CAROL)])
def test_no_column_of_the_database_holds_an_address_that_its_account_has_left_or_a_name_that_was_deleted(
    post: Post, client: Visitor, signed_in: Visitor, leave: Callable[[Visitor, Post], None], name: str
) -> None:
    _earlier, used, _later = (link_for(post, client, CAROL) for _ in range(3))
    client.submit(used, **CHOSEN)
    signed_in.submit("/mypage/email", new_email=CAROL, password_for_email=PASSWORD)  # what somebody else asks for
    post.deliver()
    tokens.reserve_sign_up(CAROL)  # whose job is still to run
    db.session.commit()
    assert tables_with(name) >= {"users", "sign_up_links", "account_tokens"}
    leave(client, post)
    post.deliver()
    assert tables_with(name) == set()


def tables_with(words: str) -> set[str]:
    """Return the tables of which a row has these words, in any column, those of the queue too."""
    names = db.session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    found = "SELECT EXISTS (SELECT FROM {0} WHERE {0}::text ILIKE :words)"
    return {name for name in names if db.session.scalar(text(found.format(name)), {"words": f"%{words}%"})}
