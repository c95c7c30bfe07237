"""Sign-up, nicknames and the landing page: what is invalid is refused, and nothing is stored.

Where mail can be sent, a single-use link opens the account, and no answer tells who has one (user enumeration).
"""

import logging
import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import hashing, nicknames, tasks, tokens
from app.accounts import service as accounts
from app.accounts.models import SignUpLink, User
from app.accounts.service import EmailTaken
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.conftest import AT_ONCE, CAROL, CHOSEN, Post, link_for, path_in, use_up, won
from tests.conftest import PASSWORD
from tests.database import commit, row_counts, same_row_counts
from tests.queued import queued
from tests.visitor import TOKEN, Visitor

GOOD = {"email": "carol@example.com", "nickname": "carol", "password": "a long enough sentence"}


def test_signing_up_signs_in_and_stores_the_email_in_lower_case_the_nickname_composed_and_a_hash(
    production_hasher: None, client: Visitor
) -> None:
    typed = {**GOOD, "email": " Carol@Example.COM ", "nickname": "\u1103\u1161\u11af"}
    assert client.submit("/sign-up", **typed).location == "/notes"
    assert client.get("/notes").status_code == 200
    user = db.session.query(User).one()
    assert (user.email, user.nickname) == ("carol@example.com", "달")
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


REFUSED = [
    ("email", "", "enter your email"),
    ("email", "carol@", "full email"),
    ("email", "carol@example.com\x00", "full email"),
    ("email", "=?utf-8?q?a=2Cb?=@x.example", "full email"),
    ("email", f"{'c' * 60}@{'d' * 60}.{'e' * 60}.com", "at most 120"),
    ("nickname", "", "choose a nickname"),
    ("nickname", " \u3000", "choose a nickname"),
    ("nickname", "x" * 81, "at most 80"),
    ("nickname", "\ufdfa" * 10, "at most 80"),
    ("nickname", "car\x00ol", "visible characters"),
    ("nickname", "\u0430dmin", "different alphabets"),
    ("password", "", "choose a password"),
    ("password", "x1y2z3w4v", "10 to 128"),
    ("password", "ab" * 65, "10 to 128"),
    ("password", "1234567890", "easy to guess"),
    ("password", "carol2026!!", "Others know this name"),
    ("password", "Password123!", "Many people use this password"),
    ("password", "aaaaaaaaaa", "repeats the same letters"),
    ("password", "010-8374-9265", "phone number or a date"),
    ("password", "a long enough\x00 sentence", "control character"),
]


LABELS = {
    "en": {"email": "email", "nickname": "nickname", "password": "password"},
    "ko": {"email": "이메일", "nickname": "닉네임", "password": "비밀번호"},
}


def test_an_invalid_field_is_refused_and_stores_nothing(client: Visitor) -> None:
    with same_row_counts():
        for field, value, sentence in REFUSED:
            answer = client.submit("/sign-up", **{**GOOD, field: value})
            assert (answer.status_code, sentence in answer.text) == (422, True), (field, value)


def test_the_first_thing_that_a_refused_form_says_is_which_field(client: Visitor) -> None:
    for language, labels in LABELS.items():
        client.set_cookie("language", language)
        for field, value, _sentence in REFUSED:
            page = client.submit("/sign-up", **{**GOOD, field: value}).text
            said = re.findall(r'<li><a href="#(\w+)">([^<]+)</a></li>', page)
            assert {(name, labels[field] in sentence.lower()) for name, sentence in said} == {(field, True)}, said


def test_the_length_of_a_password_is_told_before_it_is_sent(client: Visitor) -> None:
    page = client.get("/sign-up").text
    assert re.search(r'aria-describedby="password-hint"[^>]* minlength="10"', page)
    assert "10 to 128" in page.partition('id="password-hint"')[2][:40]


def test_the_shortest_and_the_longest_password_and_nickname_are_accepted(client: Visitor) -> None:
    sheep = " ".join(f"{number} sheep" for number in range(99))
    for nickname, password in (("☾", "zgvexwqkup"), ("é" * 80, sheep[:128])):
        fields = {"email": f"{len(password)}@example.com", "nickname": nickname, "password": password}
        assert client.submit("/sign-up", **fields).status_code == 302


def test_an_email_in_use_is_refused_in_any_case(client: Visitor, alice: User) -> None:
    with same_row_counts():
        answer = client.submit("/sign-up", **{**GOOD, "email": "ALICE@example.com"})
        assert answer.status_code == 422
        assert "has an account" in answer.text


def test_a_nickname_that_looks_like_a_taken_one_is_refused(client: Visitor, alice: User) -> None:
    with same_row_counts():
        for nickname in ("alice", "ａｌｉｃｅ"):
            answer = client.submit("/sign-up", **{**GOOD, "nickname": nickname})
            assert (answer.status_code, "nickname is taken" in answer.text) == (422, True), nickname


def test_a_refused_form_keeps_the_typed_text_but_not_the_password(client: Visitor) -> None:
    page = client.submit("/sign-up", **{**GOOD, "email": "carol@"}).text
    assert 'value="carol@"' in page
    assert 'value="carol"' in page
    assert GOOD["password"] not in page
    assert "Please type it again." in page
    assert "Please type it again." not in client.submit("/sign-up", **{**GOOD, "password": "short"}).text


def nickname_of(user: User) -> tuple[str, str]:
    row = db.session.execute(select(User.nickname, User.nickname_key).where(User.id == user.id)).one()
    return row.nickname, row.nickname_key


def test_changing_the_nickname_updates_the_name_and_its_key(signed_in: Visitor, alice: User) -> None:
    for nickname, key in (("ALICE", "alice"), ("하늘 Alice", "하늘 alice")):
        assert signed_in.submit("/mypage/nickname", nickname=nickname).location == "/mypage"
        assert nickname_of(alice) == (nickname, key)
    assert "하늘 Alice" in signed_in.get("/mypage").text


def test_a_wrong_or_taken_nickname_is_refused_and_changes_nothing(signed_in: Visitor, alice: User, bob: User) -> None:
    wrong: list[dict[str, str]] = [{}, {"nickname": "x" * 81}, {"nickname": "ｂｏｂ"}]
    for fields in wrong:
        answer = signed_in.submit("/mypage/nickname", **fields)
        assert (answer.status_code, 'class="error"' in answer.text) == (422, True), fields
    assert nickname_of(alice) == ("alice", "alice")


def test_nicknames_have_the_same_key_if_they_look_alike() -> None:
    alike = [("Admin", "admin"), ("ＡＤＭＩＮ", "admin"), ("ﬁn", "fin"), ("straße", "STRASSE"), ("①", "1")]
    alike += [("❤️", "❤"), ("👨‍👩‍👧", "👨👩👧"), ("葛\U000e0100", "葛"), ("1️⃣", "1⃣"), ("a  b", "a\u3000b")]
    different = [("달", "말"), ("İ", "i"), ("ö", "o"), ("a b", "ab")]
    same = [(one, other) for one, other in alike + different if nicknames.key(one) == nicknames.key(other)]
    assert same == alike


def test_confusable_scripts_in_one_nickname_are_detected_and_others_permitted() -> None:
    """Unicode TR 39."""
    mixed = ["\u0430dmin", "p\u0430ypal", "\u03bfh", "하늘Ж", "ab\u0561"]
    permitted = ["하늘 Sky 7", "ﬁn", "空の人々", "データ", "Ｓｋｙ", "Дима", "עברית", "☾☀", "ㅋㅋㅋ"]
    assert [name for name in mixed + permitted if nicknames.mixes_scripts(name)] == mixed


def test_what_it_shows_needs_no_script_and_can_be_neither_reached_nor_read_aloud(client: Visitor) -> None:
    page = client.get("/").text
    assert page.count("<script") == client.get("/offline").text.count("<script")
    figure = r'<figure class="shown">\s*<div aria-hidden="true">(.*)</div>\s*<figcaption'
    [shown] = re.findall(figure, page, re.DOTALL)
    assert shown
    assert not re.search(r"<(a|button|input|details|form)\b|tabindex|\bid=", shown)


def test_the_landing_page_leads_to_sign_up_and_sign_in_or_on_to_the_notes(client: Visitor, alice: User) -> None:
    page = client.get("/").text
    assert 'href="/sign-up"' in page
    assert 'href="/sign-in"' in page
    client.sign_in(alice.email, GOOD["password"])
    assert client.get("/").location == "/notes"


def test_invisible_characters_are_found() -> None:
    invisible = [
        *("car\x00ol", "car\nol", "car\u200bol", "car\ue000ol", "\u202elorac", "\u3164", "\u2800", "\u1160", "\ud800"),
        *("car\u200dol", "\u200d", "👨\u200d", "\u200d👨", "👨\u200da", "a\u200d👨", "1\u200d2", "👨\u200d\u200d👩"),
        *("ad\ufe0fmin", "가\ufe0f나", "\ufe0f", "1\ufe0f", "👨\ufe0f\ufe0f", "ad\u034fmin", "ad\u2060min", "\u17b4"),
        *("a\U000e0100", "홍\U000e0100", "葛\U000e0100\U000e0101", "🏴\U000e0067", "a\U000e0067\U000e007f"),
        *("👨\u2066👩", "👨\u200c👩", "🫧\u061c", "a\u2028b", "\U0001f0ff"),
    ]
    visible = [
        *("carol", "☾", "🏳️‍🌈", "👨‍👩‍👧", "👩🏽‍💻", "🏴‍☠️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#⃣", "🇰🇷", "❤️", "❤︎", "❤️‍🔥", "👁️‍🗨️", "🧑🏻‍❤️‍💋‍🧑🏿"),
        *("달👨‍👩‍👧달", "half ☪️ moon", "葛\U000e0100城", "ㅋㅋ", "か\u3099", "👍🏽", "🚶‍➡️"),
    ]
    assert [name for name in invisible + visible if nicknames.has_invisible_characters(name)] == invisible


ALICE = "alice@example.com"


def delete_account(browser: Visitor, post: Post) -> None:
    browser.submit("/mypage/delete", password=PASSWORD)


def change_address(browser: Visitor, post: Post) -> None:
    browser.submit("/mypage/email", new_email="new@example.com", password_for_email=PASSWORD)
    browser.submit(post.link("new@example.com"))


def test_the_link_leads_to_a_page_that_opens_the_account_and_signs_in(post: Post, client: Visitor) -> None:
    """Nobody gets an account, or a password into one, before the owner of the mailbox (account pre-hijacking)."""
    before = row_counts()
    client.submit("/sign-up", email=" Carol@Example.COM ", **CHOSEN)
    before["sign_up_links"] += 1
    assert row_counts() == before
    assert client.get("/notes").status_code == 302
    link = post.link(CAROL)
    page = client.get(link).text
    assert row_counts() == before  # programs that look for malware open every link of a mail
    assert CAROL in page
    assert 'name="email"' not in page
    assert client.submit(link, **CHOSEN, email=ALICE, username=ALICE).location == "/notes"  # the link's address counts
    assert client.get("/notes").status_code == 200
    user = db.session.scalars(select(User)).one()
    assert (user.email, user.nickname, user.email_confirmed_at is not None) == (CAROL, "carol", True)
    assert post.letters() == {}  # there is nothing left to confirm


def test_a_known_and_an_unknown_address_get_the_same_answer_and_leave_the_same_rows_and_jobs(
    post: Post, client: Visitor, alice: User, statements: list[str]
) -> None:
    token = client.csrf_token()
    answers, ran, rows = [], [], []
    for email in (ALICE, CAROL):
        before = row_counts()
        statements.clear()
        answers.append(client.post("/sign-up", data={"csrf_token": token, "email": email}))
        ran.append(list(statements))
        rows.append({table: count - before[table] for table, count in row_counts().items() if count != before[table]})
    known, unknown = answers
    assert known.status_code == unknown.status_code == 200
    assert TOKEN.sub("", known.text).replace(ALICE, "x") == TOKEN.sub("", unknown.text).replace(CAROL, "x")
    assert {name for name, _ in known.headers} == {name for name, _ in unknown.headers}
    assert ran[0] == ran[1]
    assert rows == [{"sign_up_links": 1}] * 2
    assert [(task, sorted(arguments)) for task, arguments in queued()] == [
        ("accounts.send_sign_up_link", ["language", "link_id"])
    ] * 2


def test_what_is_no_address_is_refused(post: Post, client: Visitor) -> None:
    before = row_counts()
    for email in ("", "carol@example.com\r\nBcc: bob@example.com", "=?utf-8?q?a=2Cb?=@x.example"):
        assert client.submit("/sign-up", email=email).status_code == 422, email
    assert (row_counts(), queued()) == (before, [])


def test_no_queue_table_or_log_holds_a_secret(post: Post, client: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "app")  # the test's own server logs what it hears
    client.submit("/sign-up", email=CAROL)
    assert CAROL not in str(queued())
    link = post.link(CAROL)
    token = link.rpartition("/")[2]
    client.submit(link, **CHOSEN)
    stored = db.session.execute(text("SELECT sign_up_links::text FROM sign_up_links")).scalar_one()
    assert len(token) == 43
    assert token not in stored
    secrets = (CAROL, token, CHOSEN["password"], client.application.config["SECRET_KEY"])
    assert [secret for secret in secrets if secret in caplog.text] == []


def test_a_refused_form_leaves_the_link_usable_and_keeps_the_nickname(post: Post, client: Visitor, alice: User) -> None:
    link = link_for(post, client)
    with same_row_counts():
        for nickname, password in (("alice", PASSWORD), ("carol", CAROL)):
            answer = client.submit(link, nickname=nickname, password=password)
            assert (answer.status_code, f'value="{nickname}"' in answer.text) == (422, True)
            assert PASSWORD not in answer.text
    assert client.submit(link, **CHOSEN).status_code == 302


def test_one_network_asks_for_only_so_many_links(post: Post, client: Visitor) -> None:
    use_up(post.app, rate_limits.SIGN_UP_BY_ADDRESS, "127.0.0.1", left=1)
    assert client.submit("/sign-up", email="nobody@example.com").status_code == 200
    with same_row_counts():
        assert client.submit("/sign-up", email=CAROL).status_code == 429


def test_behind_one_link_only_so_many_are_tried(post: Post, client: Visitor, alice: User) -> None:
    link = link_for(post, client)
    use_up(post.app, rate_limits.SIGN_UP_BY_LINK, CAROL, left=1)
    assert client.submit(link, **{**CHOSEN, "nickname": "alice"}).status_code == 422
    assert client.submit(link, **CHOSEN).status_code == 429
    assert db.session.scalar(select(func.count()).select_from(User)) == 1


def test_a_known_address_gets_a_letter_that_says_so_in_the_language_of_the_account_else_of_the_page(
    post: Post, client: Visitor, alice: User
) -> None:
    commit(update(User).values(language="en"))
    client.set_cookie("language", "ko")
    for email in (ALICE, CAROL):
        client.submit("/sign-up", email=email)
    letters = post.letters()
    assert letters[ALICE]["Subject"] == "This address already has an account"
    assert path_in(letters[ALICE]) == "/sign-in"
    assert re.search("[가-힣]", letters[CAROL]["Subject"])


def test_the_owner_of_a_session_may_open_another_account(post: Post, signed_in: Visitor, alice: User) -> None:
    """A link from the mail is followed in the browser that is there. The session before ends."""
    assert signed_in.submit(link_for(post, signed_in), **CHOSEN).location == "/notes"
    assert "carol" in signed_in.get("/mypage").text


def test_a_link_that_was_used_says_so_and_leads_to_sign_in(post: Post, client: Visitor) -> None:
    link = link_for(post, client)
    client.submit(link, **CHOSEN)
    with same_row_counts():
        stranger = Visitor(client.application)
        for answer in (stranger.get(link), stranger.submit(link, nickname="other", password=PASSWORD)):
            assert answer.status_code == 410
            assert "already has an account" in answer.text
            assert 'href="/sign-in"' in answer.text
    assert stranger.get("/notes").status_code == 302


@pytest.mark.parametrize("leave", [delete_account, change_address])
def test_no_link_of_the_address_opens_a_second_account_once_the_first_has_left_it(
    post: Post, client: Visitor, leave: Callable[[Visitor, Post], None]
) -> None:
    earlier, used, later = (link_for(post, client) for _ in range(3))
    client.submit(used, **CHOSEN)
    leave(client, post)
    with same_row_counts():
        stranger = Visitor(client.application)
        for link in (earlier, used, later):
            for answer in (stranger.get(link), stranger.submit(link, nickname="again", password=PASSWORD)):
                assert answer.status_code == 410
                assert "This link no longer works" in answer.text
    assert stranger.get("/notes").status_code == 302


def test_a_job_that_runs_twice_revives_no_link_that_was_used(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", email=CAROL)
    [(_task, arguments)] = queued()
    client.submit(post.link(CAROL), **CHOSEN)
    delete_account(client, post)
    with pytest.raises(tokens.TokenExpired):
        tokens.draw(arguments["link_id"], SignUpLink)


def test_a_link_that_was_used_after_it_was_read_opens_nothing(
    post: Post, client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one request hashes its password, another one opens the account and deletes it."""
    before, link, original = row_counts(), link_for(post, client), hashing.hash_password

    def overtaken(password: str) -> str:
        monkeypatch.setattr(hashing, "hash_password", original)
        assert client.submit(link, **CHOSEN).location == "/notes"
        delete_account(client, post)
        return original(password)

    monkeypatch.setattr(hashing, "hash_password", overtaken)
    with pytest.raises(tokens.TokenExpired):
        tokens.open_account(link.rpartition("/")[2], "again", PASSWORD)
    assert row_counts() == before


def test_a_new_account_voids_the_links_of_its_address_alone(post: Post, client: Visitor) -> None:
    others = link_for(post, client, "dave@example.com")
    client.submit(link_for(post, client), **CHOSEN)
    assert Visitor(client.application).get(others).status_code == 200
    path, before = f"/sign-up/{'x' * 43}", row_counts()  # which nobody drew
    assert [client.get(path).status_code, client.submit(path, **CHOSEN).status_code] == [410, 410]
    assert row_counts() == before


def test_a_link_works_for_half_an_hour_of_the_databases_clock(post: Post, client: Visitor) -> None:
    link = link_for(post, client)
    left = db.session.scalar(select(SignUpLink.expires_at - func.now()))
    assert left is not None
    assert left <= tokens.LIFETIME
    commit(update(SignUpLink).values(expires_at=func.now()))
    assert client.submit(link, **CHOSEN).status_code == 410
    assert db.session.scalar(select(func.count()).select_from(User)) == 0


def test_expired_links_are_purged_a_day_later_and_others_stay(app: Flask) -> None:
    for email in (ALICE, CAROL):
        tokens.reserve_sign_up(email)
    a_day_ago = func.now() - tokens.RESERVED_FOR
    db.session.execute(update(SignUpLink).where(SignUpLink.email == ALICE).values(expires_at=a_day_ago))
    tasks.purge_expired_tokens(0)
    assert list(db.session.scalars(select(SignUpLink.email))) == [CAROL]


def test_of_concurrent_requests_one_opens_the_account(migrated: Flask) -> None:
    token, _email = tokens.draw(tokens.reserve_sign_up(CAROL), SignUpLink)

    def try_it(number: int) -> None:
        tokens.open_account(token, f"carol {number}", f"sentence number {number}")

    [winner] = won(migrated, try_it, range(AT_ONCE), EmailTaken)
    assert accounts.authenticate(CAROL, f"sentence number {winner}").nickname == f"carol {winner}"
