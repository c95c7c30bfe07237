"""Recent sign-in: ten minutes after the last authentication, sensitive views ask for the password (ASVS 5.0 V7.5.1).

The act that this interrupts is done once the reader has confirmed who is there, with what was typed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select, update
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.accounts import access_tokens, sessions
from app.accounts.models import AccessToken, AccountEvent, EventKind, User, UserSession
from app.extensions import db
from app.passkeys import two_step
from app.passkeys.models import Challenge, Passkey, RecoveryCode
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import commit, right_before, row_counts, same_row_counts
from tests.passkeys.conftest import Authenticator, add_passkey, ask
from tests.visitor import Visitor
from tests.web.test_access import PUBLIC, endpoints

LONG_AGO = sessions.RECENT + timedelta(seconds=1)
# Their views have to be known as sensitive or not. A view of another feature is sensitive if it says so itself.
OF_ACCOUNT = {
    *("access_tokens", "accounts", "mailed_links", "mypage", "passkey_sign_in", "passkeys", "portability"),
    *("preferences", "recent_sign_in"),
}
SENSITIVE = {
    *(f"access_tokens.{view}" for view in ("end", "index", "make")),
    *("accounts.sign_out_device", "accounts.sign_out_other_devices", "portability.export"),
    *(f"passkeys.{view}" for view in ("create", "index", "registration_options", "remove", "rename")),
    *(f"passkeys.{view}" for view in ("make_recovery_codes", "turn_off_second_step", "turn_on_second_step")),
}
# Their forms have a field for the password, which is asked for always.
ASKS_FOR_THE_PASSWORD = {"mypage.change_email", "mypage.change_password", "mypage.delete_account"}
# They neither change who can sign in nor give everything away.
NOT_SENSITIVE = {
    *(f"accounts.{view}" for view in ("list_devices", "list_events", "sign_out")),
    *(
        f"mypage.{view}"
        for view in ("change_nickname", "change_settings", "delete_photo", "edit", "index", "put_photo")
    ),
    *("mailed_links.send_confirmation_again", "passkey_sign_in.confirm_options", "recent_sign_in.confirm"),
    *("portability.import_", "portability.show_import", "preferences.shortcuts"),
}


@pytest.fixture
def idle(signed_in: Visitor, alice: User) -> Visitor:
    """Return Alice's browser, ten minutes and a second after she signed in."""
    signed_in_ago(alice, LONG_AGO)
    return signed_in


def signed_in_ago(user: User, ago: timedelta) -> None:
    commit(update(UserSession).where(UserSession.user_id == user.id).values(created_at=func.now() - ago))


def may_export(browser: Visitor) -> bool:
    with browser.get("/mypage/export") as answer:  # closes the file
        assert answer.status_code in (200, 302)
        return answer.status_code == 200


def tokens() -> set[str]:
    return set(db.session.scalars(select(UserSession.token_hash)))


def test_every_view_is_known_to_be_sensitive_or_not(app: Flask) -> None:
    """A new view is one line in one of the lists above: say whether it changes who can get in, or gives all away."""
    private = {name for method in ("GET", "POST") for name, _ in endpoints(app, method)} - PUBLIC
    private = {name for name in private if name.partition(".")[0] in OF_ACCOUNT}
    assert private == SENSITIVE | ASKS_FOR_THE_PASSWORD | NOT_SENSITIVE
    assert {name for name in private if hasattr(app.view_functions[name], "sensitive_act")} == SENSITIVE


def test_every_view_that_says_it_is_sensitive_asks_who_is_there(app: Flask, idle: Visitor) -> None:
    urls, before = app.url_map.bind("localhost"), row_counts()
    guarded = [rule for rule in app.url_map.iter_rules() if hasattr(app.view_functions[rule.endpoint], "sensitive_act")]
    assert len(guarded) > 10
    for rule in guarded:
        path = urls.build(rule.endpoint, dict.fromkeys(rule.arguments, 1))
        answer = idle.get(path) if "GET" in (rule.methods or ()) else idle.submit(path)
        asked = answer.text if answer.status_code == 200 else answer.location or ""  # 200: the page carries the form
        assert "/sign-in/confirm" in asked, path
    assert row_counts() == before


def test_an_export_without_a_recent_sign_in_is_refused(idle: Visitor) -> None:
    for answer in (idle.get("/mypage/export?a=1"), idle.head("/mypage/export?a=1")):
        assert answer.location == "/sign-in/confirm?next=/mypage/export?a%3D1"
        assert answer.mimetype == "text/html"


def test_recent_is_within_ten_minutes(signed_in: Visitor, alice: User) -> None:
    signed_in_ago(alice, timedelta(minutes=9, seconds=59))
    assert may_export(signed_in)
    signed_in_ago(alice, timedelta(minutes=10))
    assert not may_export(signed_in)


def test_the_sign_in_of_another_browser_does_not_count(app: Flask, idle: Visitor, alice: User) -> None:
    assert may_export(browser_of(app, alice))
    assert not may_export(idle)


def test_the_link_to_the_export_does_not_save_the_page_that_asks_as_a_file(signed_in: Visitor) -> None:
    for page in ("/mypage", "/mypage/edit"):
        [link] = re.findall(r'<a [^>]*href="/mypage/export"[^>]*>', signed_in.get(page).text)
        assert " download" not in link


def test_the_right_password_renews_the_session_and_opens_the_doors(app: Flask, idle: Visitor, bob: User) -> None:
    before, page = tokens(), idle.get("/sign-in/confirm?next=/mypage/devices").text
    assert "alice@example.com" in page
    assert 'action="/sign-in/confirm?next=/mypage/devices"' in page
    assert idle.submit("/sign-in/confirm?next=/mypage/devices", password=PASSWORD).location == "/mypage/devices"
    assert len(tokens()) == 1
    assert not tokens() & before
    assert may_export(idle)
    assert idle.submit("/mypage/devices/sign-out-others").location == "/mypage/devices"
    other = browser_of(app, bob)
    other.submit("/sign-in/confirm", password=PASSWORD)
    assert "<bdi>bob</bdi>" in other.get("/mypage").text


def test_who_is_deleted_while_the_password_is_checked_is_signed_out(idle: Visitor) -> None:
    idle.csrf_token()
    with same_row_counts():
        with right_before("users.password_hash", "DELETE FROM users"):
            assert idle.submit("/sign-in/confirm", password=PASSWORD).location == "/sign-in"
        with idle.session_transaction() as cookie:
            assert dict(cookie) == {}


def test_it_leads_to_no_other_site(idle: Visitor) -> None:
    for target in ("//evil.example", ""):
        assert idle.submit(f"/sign-in/confirm?next={target}", password=PASSWORD).location == "/mypage", target


def test_a_deleted_account_confirms_nothing(idle: Visitor, alice: User) -> None:
    token = idle.csrf_token()
    db.session.delete(alice)
    db.session.commit()
    assert idle.post("/sign-in/confirm", data={"csrf_token": token, "password": PASSWORD}).location == "/sign-in"


TYPED = '백업 & "half" <b>moon</b>'
PASSKEYS = "/mypage/passkeys"
WRONG = "another long sentence"


@dataclass
class Scene:
    """Hold Alice's browser, some minutes after she signed in, and what she has."""

    laptop: Visitor
    phone: int  # the id of her session on another device
    device: Authenticator
    passkey: int
    token: int  # an access token
    codes: list[str]  # the hashes of her recovery codes
    credential: str = ""  # that the browser has made while her sign-in was recent

    def path(self, name: str) -> str:
        return CASES[name][0].format_map(vars(self))

    def wait(self) -> None:
        """Let ten minutes go by."""
        commit(update(UserSession).values(created_at=func.now() - LONG_AGO))


def recovery_codes() -> list[str]:
    return sorted(db.session.scalars(select(RecoveryCode.code_hash)))


def rows(model: Any, *conditions: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def is_made(_: Scene, answer: TestResponse) -> bool:
    made = db.session.execute(select(AccessToken).where(AccessToken.name == TYPED)).scalar_one()
    lasts = made.expires_at == made.created_at + timedelta(days=30)
    return made.scopes == FIELDS["scopes"] and lasts and "sc_" in answer.text


def is_renamed(scene: Scene, _: TestResponse) -> bool:
    return rows(Passkey, Passkey.id == scene.passkey, Passkey.name == TYPED) == 1


def opens(heading: str, scene: Scene, answer: TestResponse) -> bool:
    return f"<h1>{heading}</h1>" in scene.laptop.get(answer.location).text


def downloads(scene: Scene, answer: TestResponse) -> bool:
    [refresh] = LexborHTMLParser(scene.laptop.get(answer.location).text).css("meta[http-equiv=refresh]")
    with scene.laptop.get(str(refresh.attributes["content"]).removeprefix("0;url=")) as file:
        return file.mimetype == "application/zip"


def shows_new_codes(scene: Scene, answer: TestResponse) -> bool:
    return rows(RecoveryCode) == two_step.CODES and recovery_codes() != scene.codes and "<code>" in answer.text


def phone_alone_is_gone(scene: Scene, _: TestResponse) -> bool:
    return rows(UserSession) == 1 and rows(UserSession, UserSession.id == scene.phone) == 0


# Every guarded act: the path that is asked for, with `{…}` of the scene, and a look if the act was done.
CASES: dict[str, tuple[str, Callable[[Scene, TestResponse], object]]] = {
    "GET access_tokens.index": ("/mypage/tokens", lambda *seen: opens("Access tokens", *seen)),
    "POST access_tokens.make": ("/mypage/tokens", is_made),
    "POST access_tokens.end": ("/mypage/tokens/{token}/end", lambda *_: rows(AccessToken) == 0),
    "POST accounts.sign_out_device": ("/mypage/devices/{phone}/sign-out", phone_alone_is_gone),
    "POST accounts.sign_out_other_devices": ("/mypage/devices/sign-out-others", phone_alone_is_gone),
    "GET passkeys.index": (PASSKEYS, lambda *seen: opens("Passkeys", *seen)),
    "POST passkeys.create": (PASSKEYS, lambda *_: rows(Passkey, Passkey.name == TYPED) == 1),
    "GET passkeys.rename": (f"{PASSKEYS}/{{passkey}}", lambda *seen: opens("<bdi>Chrome on macOS</bdi>", *seen)),
    "POST passkeys.rename": (f"{PASSKEYS}/{{passkey}}", is_renamed),
    "POST passkeys.remove": (
        f"{PASSKEYS}/{{passkey}}/delete",
        lambda scene, _: rows(Passkey, Passkey.id == scene.passkey) == 0,
    ),
    "POST passkeys.turn_on_second_step": (f"{PASSKEYS}/second-step", shows_new_codes),
    "POST passkeys.turn_off_second_step": (f"{PASSKEYS}/second-step/off", lambda *_: rows(RecoveryCode) == 0),
    "POST passkeys.make_recovery_codes": (f"{PASSKEYS}/recovery-codes", shows_new_codes),
    "GET portability.export": ("/mypage/export", downloads),
}
BY_SCRIPT = "POST passkeys.registration_options"  # passkeys.js posts its form as a page then
FIELDS: dict[str, Any] = {"name": TYPED, "scopes": ["notes:read", "todos:write"], "expiry": "30"}  # of every form


@pytest.fixture
def scene(app: Flask, alice: User) -> Scene:
    laptop, _phone = browser_of(app, alice), browser_of(app, alice)
    add_passkey(alice, "spare")  # the last one cannot be removed while sign-in asks for it
    device = add_passkey(alice)
    with app.app_context():
        access_tokens.make_token(alice.id, "backup", ["read"], None, CLIENT)
    two_step.turn_on(alice.id, CLIENT)
    phone, passkey, token = (
        db.session.scalars(select(func.max(each.id))).one() for each in (UserSession, Passkey, AccessToken)
    )
    return Scene(laptop, phone, device, passkey, token, recovery_codes())


def ask_for(scene: Scene, name: str, fields: dict[str, Any] = FIELDS) -> str:
    """Ask for the act when ten minutes have gone by, and return the page that asks who is there."""
    scene.wait()
    if name.startswith("GET"):
        return scene.laptop.get(scene.path(name), follow_redirects=True).text
    return scene.laptop.submit(scene.path(name), **fields, credential=scene.credential).text


def confirm(scene: Scene, page: str, **typed: str) -> TestResponse:
    form = LexborHTMLParser(page).css_first("main form")
    assert form, "no page that asks"
    inputs = [field.attributes for field in form.css("input[name]")]
    sent = MultiDict((str(field["name"]), typed.get(str(field["name"]), field.get("value") or "")) for field in inputs)
    return scene.laptop.post(str(form.attributes["action"]), data=sent, headers={"Origin": "http://localhost"})


def stored() -> list[Any]:
    """Return all that these views could change."""
    columns = (UserSession.id, Passkey.name, AccessToken.name, RecoveryCode.code_hash)
    return [sorted(db.session.scalars(select(each))) for each in columns]


def confirmations() -> int:
    return rows(AccountEvent, AccountEvent.kind == EventKind.SIGN_IN_CONFIRMED)


def names_act(app: Flask, name: str, page: str) -> bool:
    method, endpoint = name.split()
    view: Any = app.view_functions[endpoint]
    act = view.sensitive_act.name
    [main] = LexborHTMLParser(page).css("main")
    return (str(act) if method == "GET" else f"{act}: {TYPED}") in main.text()


def test_every_guarded_act_has_its_case(app: Flask) -> None:
    guarded = {
        f"{method} {name}"
        for method in ("GET", "POST")
        for name, _ in endpoints(app, method)
        if hasattr(app.view_functions[name], "sensitive_act")
    }
    assert guarded == CASES.keys() | {BY_SCRIPT}


@pytest.mark.parametrize("name", CASES)
def test_it_is_done_once_after_the_confirmation_and_not_before(app: Flask, scene: Scene, name: str) -> None:
    if name == "POST passkeys.create":
        scene.credential = Authenticator().register(ask(scene.laptop, PASSKEYS))
    before = stored()
    asked = ask_for(scene, name)
    assert names_act(app, name, asked)
    with scene.laptop.session_transaction() as cookie:  # which holds nothing that was typed
        assert set(cookie) <= {"_permanent", "token", "csrf_token", "challenge_register"}
    refused = confirm(scene, asked, password=WRONG)
    assert refused.status_code == 422
    assert WRONG not in refused.text
    assert names_act(app, name, refused.text)
    assert (stored(), confirmations()) == (before, 0)
    assert CASES[name][1](scene, confirm(scene, refused.text, password=PASSWORD))
    done = stored()
    assert confirm(scene, refused.text, password=PASSWORD).status_code == 400  # the token of a session that has ended
    assert (stored(), confirmations()) == (done, 1)


@pytest.mark.parametrize("name", CASES)
def test_it_waits_for_a_button_when_another_window_has_confirmed(app: Flask, scene: Scene, name: str) -> None:
    """The session is another one by then, so the form that waits is refused. It is offered, without the password."""
    if name == "POST passkeys.create":
        scene.credential = Authenticator().register(ask(scene.laptop, PASSKEYS))
    asked = ask_for(scene, name)
    confirm(scene, scene.laptop.get("/sign-in/confirm?next=/mypage/devices").text, password=PASSWORD)
    before = stored()
    offered = confirm(scene, asked, password=PASSWORD)
    assert offered.status_code == 400
    assert PASSWORD not in offered.text
    assert "Confirm it's you" in offered.text if name.startswith("GET") else names_act(app, name, offered.text)
    assert (stored(), confirmations()) == (before, 1)
    assert CASES[name][1](scene, confirm(scene, offered.text))
    assert confirmations() == 1


def test_a_cancel_leads_to_a_page_and_does_nothing(scene: Scene) -> None:
    before = stored()
    for name in ("POST access_tokens.make", "GET passkeys.index", "GET portability.export"):
        page = LexborHTMLParser(ask_for(scene, name))
        [cancel] = [link.attributes["href"] for link in page.css("main a") if link.text() == "Cancel"]
        assert scene.laptop.get(str(cancel), follow_redirects=True).status_code == 200, name
    assert (stored(), confirmations()) == (before, 0)


def test_another_site_has_nothing_confirmed(scene: Scene) -> None:
    """Its form has no token of this browser. A link of its own leads to no act: what is posted is not opened."""
    before, path = stored(), scene.path("POST accounts.sign_out_device")
    scene.wait()
    posted = scene.laptop.post(path, data={**FIELDS, "password": PASSWORD})
    assert (posted.status_code, stored(), confirmations()) == (400, before, 0)
    scene.laptop.submit(f"/sign-in/confirm?next={path}", password=PASSWORD)
    scene.laptop.get(path)
    assert rows(UserSession, UserSession.id == scene.phone) == 1


def test_what_was_typed_wrongly_is_told_after_the_password_and_stays(scene: Scene) -> None:
    wrong = {"name": "two\nlines", "scopes": ["read"], "expiry": "31"}
    refused = confirm(scene, ask_for(scene, "POST access_tokens.make", wrong), password=PASSWORD)
    assert refused.status_code == 422
    assert "Please choose one from the list." in refused.text
    assert 'value="read" checked' in refused.text or 'checked id="scopes-0"' in refused.text
    assert rows(AccessToken) == 1


def test_a_passkey_is_made_after_the_password_by_the_page_that_comes(scene: Scene) -> None:
    """passkeys.js was refused the challenge, so it has posted its form as a page."""
    scene.wait()
    refused = scene.laptop.post(
        f"{PASSKEYS}/options", data={"csrf_token": scene.laptop.csrf_token()}, headers={"Accept": "application/json"}
    )
    assert (refused.status_code, refused.mimetype, rows(Challenge)) == (403, "application/problem+json", 0)
    assert b"To continue, enter your password again." in refused.data
    asked = scene.laptop.submit(PASSKEYS, name=TYPED, credential="", begin="").text
    begun = LexborHTMLParser(confirm(scene, asked, password=PASSWORD).text)
    assert begun.css_matches("button[data-passkey=create][data-begins]")
    assert [field.attributes["value"] for field in begun.css("input#name")] == [TYPED]
    assert rows(Passkey) == 2


def test_a_passkey_that_is_removed_can_confirm_it(scene: Scene) -> None:
    scene.wait()
    asked = scene.laptop.submit(f"{PASSKEYS}/{scene.passkey}/delete").text
    confirm(scene, asked, passkey=scene.device.sign(ask(scene.laptop, "/sign-in/confirm/passkey")))
    assert rows(Passkey, Passkey.id == scene.passkey) == 0
    assert scene.laptop.get(PASSKEYS).status_code == 200, "this browser stays signed in"
