"""An act that a recent sign-in interrupts is done once the reader has confirmed who is there, with what was typed.

A guarded view without a case here fails (test_recent_sign_in.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import func, select, update
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.accounts import sessions
from app.accounts.models import AccessToken, AccountEvent, EventKind, User, UserSession
from app.extensions import db
from app.passkeys import two_step
from app.passkeys.models import Challenge, Passkey, RecoveryCode
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.passkeys.authenticator import Authenticator
from tests.passkeys.conftest import add_passkey
from tests.visitor import Visitor

TYPED = '백업 & "half" <b>moon</b>'
PASSKEYS = "/mypage/passkeys"
WRONG = "another long sentence"


@dataclass
class Scene:
    """Hold Alice's browser, some minutes after she signed in, and what she has."""

    alice: User
    laptop: Visitor
    phone: int  # the id of her session on another device
    device: Authenticator
    passkey: int
    token: int
    prepared: dict[str, str] = field(default_factory=dict)  # fields that were made while her sign-in was recent

    def path(self, name: str) -> str:
        return CASES[name][0].format_map(vars(self))

    def wait(self) -> None:
        """Let ten minutes go by."""
        long_ago = func.now() - sessions.RECENT - timedelta(seconds=1)
        db.session.execute(update(UserSession).values(created_at=long_ago))
        db.session.commit()


def rows(model: Any, *conditions: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def only_token_is(name: str, scopes: list[str], days: int) -> bool:
    made = db.session.execute(select(AccessToken).where(AccessToken.name == name)).scalar_one_or_none()
    return made is not None and made.scopes == scopes and made.expires_at == made.created_at + timedelta(days=days)


def ask_for_a_passkey(scene: Scene) -> None:
    options = scene.laptop.submit(f"{PASSKEYS}/options").json
    assert isinstance(options, dict)
    scene.prepared["credential"] = Authenticator().register(options)


def has_second_step() -> bool:
    return bool(db.session.scalar(select(User.passkey_after_password).where(User.email == "alice@example.com")))


def opens(heading: str) -> Callable[[Scene, TestResponse], object]:
    return lambda scene, answer: f"<h1>{heading}</h1>" in scene.laptop.get(answer.location).text


def downloads(scene: Scene, answer: TestResponse) -> bool:
    [refresh] = LexborHTMLParser(scene.laptop.get(answer.location).text).css("meta[http-equiv=refresh]")
    with scene.laptop.get(str(refresh.attributes["content"]).removeprefix("0;url=")) as file:
        return file.mimetype == "application/zip"


def phone_alone_is_gone(scene: Scene, _: TestResponse) -> bool:
    return rows(UserSession) == 1 and rows(UserSession, UserSession.id == scene.phone) == 0


# The path that is asked for, with `{…}` of the scene, and a look if the act was done.
CASES: dict[str, tuple[str, Callable[[Scene, TestResponse], object]]] = {
    "access_tokens.index": ("/mypage/tokens", opens("Access tokens")),
    "access_tokens.make": (
        "/mypage/tokens",
        lambda _, answer: only_token_is(TYPED, ["notes:read", "todos:write"], 30) and "sc_" in answer.text,
    ),
    "access_tokens.end": ("/mypage/tokens/{token}/end", lambda *_: rows(AccessToken) == 0),
    "accounts.sign_out_device": ("/mypage/devices/{phone}/sign-out", phone_alone_is_gone),
    "accounts.sign_out_other_devices": ("/mypage/devices/sign-out-others", phone_alone_is_gone),
    "passkeys.index": (PASSKEYS, opens("Passkeys")),
    "passkeys.registration_options": (f"{PASSKEYS}/options", lambda _, answer: answer.json and rows(Challenge) == 1),
    "passkeys.create": (PASSKEYS, lambda *_: rows(Passkey, Passkey.name == TYPED) == 1),
    "passkeys.rename": (
        f"{PASSKEYS}/{{passkey}}",
        lambda scene, _: rows(Passkey, Passkey.id == scene.passkey, Passkey.name == TYPED) == 1,
    ),
    "passkeys.remove": (f"{PASSKEYS}/{{passkey}}/delete", lambda *_: rows(Passkey) == 0),
    "passkeys.turn_on_second_step": (
        f"{PASSKEYS}/second-step",
        lambda _, answer: has_second_step() and answer.text.count("<code>") == rows(RecoveryCode) > 0,
    ),
    "passkeys.turn_off_second_step": (
        f"{PASSKEYS}/second-step/off",
        lambda *_: not has_second_step() and rows(RecoveryCode) == 0,
    ),
    "passkeys.make_recovery_codes": (
        f"{PASSKEYS}/recovery-codes",
        lambda _, answer: answer.text.count("<code>") == rows(RecoveryCode) > 0,
    ),
    "portability.export": ("/mypage/export", downloads),
}
LINKS = {"access_tokens.index", "passkeys.index", "portability.export"}
FIELDS: dict[str, Any] = {"name": TYPED, "scopes": ["notes:read", "todos:write"], "expiry": "30"}  # of every form
# Before the ten minutes go by.
PREPARED: dict[str, Callable[[Scene], object]] = {
    "passkeys.create": ask_for_a_passkey,
    "passkeys.turn_off_second_step": lambda scene: two_step.turn_on(scene.alice.id, CLIENT),
    "passkeys.make_recovery_codes": lambda scene: two_step.turn_on(scene.alice.id, CLIENT),
}


@pytest.fixture
def scene(app: Flask, alice: User) -> Scene:
    laptop, _phone = browser_of(app, alice), browser_of(app, alice)
    phone = db.session.scalars(select(UserSession.id).order_by(UserSession.id.desc())).first()
    laptop.submit("/mypage/tokens", name="of before", scopes="read", expiry="365")
    device = add_passkey(alice)
    passkey, token = (db.session.scalars(select(model.id)).one() for model in (Passkey, AccessToken))
    return Scene(alice, laptop, phone or 0, device, passkey, token)


def ask_for(scene: Scene, name: str, fields: dict[str, Any] = FIELDS) -> str:
    """Ask for the act when ten minutes have gone by, and return the page that asks who is there."""
    scene.wait()
    if name in LINKS:
        return scene.laptop.get(scene.path(name), follow_redirects=True).text
    return scene.laptop.submit(scene.path(name), **fields, **scene.prepared).text


def confirm(scene: Scene, page: str, **typed: str) -> TestResponse:
    form = LexborHTMLParser(page).css_first("main form")
    assert form, "no page that asks"
    inputs = [field.attributes for field in form.css("input[name]")]
    own = {name: typed.get(name, "") for name in ("password", "passkey")}
    fields = [(str(field["name"]), field.get("value") or "") for field in inputs if field["name"] not in own]
    return scene.laptop.post(str(form.attributes["action"]), data=MultiDict([*fields, *own.items()]))


def stored() -> list[Any]:
    """Return all that a guarded view could change."""
    columns = (User.passkey_after_password, UserSession.id, Passkey.name, RecoveryCode.code_hash, AccessToken.name)
    return [sorted(db.session.scalars(select(column))) for column in columns]


def confirmations() -> int:
    return rows(AccountEvent, AccountEvent.kind == EventKind.SIGN_IN_CONFIRMED)


def names_act(app: Flask, name: str, page: str) -> bool:
    view: Any = app.view_functions[name]
    act = view.sensitive_act.name
    [main] = LexborHTMLParser(page).css("main")
    return (str(act) if name in LINKS else f"{act}: {TYPED}") in main.text()


@pytest.mark.parametrize("name", CASES)
def test_it_is_done_after_the_confirmation_and_not_before(app: Flask, scene: Scene, name: str) -> None:
    if name in PREPARED:
        PREPARED[name](scene)
    before = stored()
    asked = ask_for(scene, name)
    assert names_act(app, name, asked)
    assert stored() == before
    confirmed = confirm(scene, asked, password=PASSWORD)
    assert confirmed.status_code in (200, 302)
    assert CASES[name][1](scene, confirmed)
    assert confirmations() == 1


@pytest.mark.parametrize("name", ["access_tokens.make", "passkeys.index", "portability.export"])
def test_a_wrong_password_or_a_cancel_does_nothing_and_loses_nothing(app: Flask, scene: Scene, name: str) -> None:
    before, asked = stored(), ask_for(scene, name)
    refused = confirm(scene, asked, password=WRONG)
    assert refused.status_code == 422
    assert WRONG not in refused.text
    assert names_act(app, name, refused.text)
    [cancel] = [link.attributes["href"] for link in LexborHTMLParser(asked).css("main a") if link.text() == "Cancel"]
    assert scene.laptop.get(str(cancel), follow_redirects=True).status_code == 200
    assert (stored(), confirmations()) == (before, 0)
    assert CASES[name][1](scene, confirm(scene, refused.text, password=PASSWORD))


def test_sent_twice_it_is_done_once(scene: Scene) -> None:
    asked = ask_for(scene, "access_tokens.make")
    confirm(scene, asked, password=PASSWORD)
    before = stored()
    assert confirm(scene, asked, password=PASSWORD).status_code == 400  # the token of a session that has ended
    assert (stored(), confirmations()) == (before, 1)


def test_nothing_typed_is_in_the_cookie_meanwhile(scene: Scene) -> None:
    ask_for_a_passkey(scene)
    ask_for(scene, "passkeys.create")
    with scene.laptop.session_transaction() as cookie:
        assert set(cookie) <= {"_permanent", "token", "csrf_token", "challenge_register"}


@pytest.mark.parametrize("name", ["access_tokens.make", "accounts.sign_out_device"])
def test_another_site_has_nothing_confirmed(scene: Scene, name: str) -> None:
    """Its form has no token of this browser. A link of its own leads to no act: what is posted is not opened."""
    before, path = stored(), scene.path(name)
    scene.wait()
    posted = scene.laptop.post(path, data={**FIELDS, "password": PASSWORD})
    assert (posted.status_code, stored(), confirmations()) == (400, before, 0)
    scene.laptop.submit(f"/sign-in/confirm?next={path}", password=PASSWORD)
    scene.laptop.get(path)
    before[1] = sorted(db.session.scalars(select(UserSession.id)))  # renewed
    assert stored() == before
    assert scene.phone in before[1]


def test_what_was_typed_wrongly_is_told_after_the_password_and_stays(scene: Scene) -> None:
    wrong = {"name": "two\nlines", "scopes": ["read"], "expiry": "31"}
    asked = ask_for(scene, "access_tokens.make", wrong)
    refused = confirm(scene, asked, password=PASSWORD)
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
    assert rows(Passkey) == 1


def test_a_passkey_that_is_removed_can_confirm_it(scene: Scene) -> None:
    asked = ask_for(scene, "passkeys.remove")
    options = scene.laptop.submit("/sign-in/confirm/passkey/options").json
    assert isinstance(options, dict)
    confirm(scene, asked, passkey=scene.device.sign(options))
    assert rows(Passkey) == 0
    assert scene.laptop.get(PASSKEYS).status_code == 200, "this browser stays signed in"
