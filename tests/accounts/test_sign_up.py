"""Sign-up, nicknames and the landing page: invalid input is refused, and nothing is stored."""

import re

from sqlalchemy import select

from app.accounts import nicknames
from app.accounts.models import User
from app.extensions import db
from tests.database import same_row_counts
from tests.visitor import Visitor

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


def test_an_invalid_field_is_refused_and_stores_nothing(client: Visitor) -> None:
    with same_row_counts():
        for field, value, sentence in REFUSED:
            answer = client.submit("/sign-up", **{**GOOD, field: value})
            assert (answer.status_code, sentence in answer.text) == (422, True), (field, value)


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


def nickname_of(user: User) -> tuple[str, str]:
    row = db.session.execute(select(User.nickname, User.nickname_key).where(User.id == user.id)).one()
    return row.nickname, row.nickname_key


def test_changing_the_nickname_updates_the_name_and_its_key(signed_in: Visitor, alice: User) -> None:
    for nickname, key in (("ALICE", "alice"), ("하늘 Alice", "하늘 alice")):
        assert signed_in.submit("/mypage/nickname", nickname=nickname).location == "/mypage"
        assert nickname_of(alice) == (nickname, key)
    assert "하늘 Alice" in signed_in.get("/mypage").text


def test_an_invalid_missing_or_taken_nickname_is_refused_and_changes_nothing(
    signed_in: Visitor, alice: User, bob: User
) -> None:
    wrong: list[dict[str, str]] = [{}, {"nickname": "x" * 81}, {"nickname": "ｂｏｂ"}]
    for fields in wrong:
        answer = signed_in.submit("/mypage/nickname", **fields)
        assert (answer.status_code, 'class="error"' in answer.text) == (422, True), fields
    assert nickname_of(alice) == ("alice", "alice")


def test_nicknames_have_the_same_key_if_they_look_alike() -> None:
    alike = [("Admin", "admin"), ("ＡＤＭＩＮ", "admin"), ("ﬁn", "fin"), ("straße", "STRASSE"), ("①", "1")]
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
    invisible = ["car\x00ol", "car\nol", "car\u200bol", "car\ue000ol", "\u202elorac", "\u3164"]
    assert [name for name in [*invisible, "carol", "☾"] if nicknames.has_invisible_characters(name)] == invisible
