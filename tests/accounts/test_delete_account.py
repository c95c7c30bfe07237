"""Deleting an account requires the password and deletes all data of that user, and no one else's."""

from flask import Flask

from app.accounts import tokens
from app.accounts.models import User
from app.notes import service as notes
from app.passkeys import service, two_step
from app.todos import service as todos
from app.wordcounts import service as wordcounts
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import row_counts
from tests.passkeys.conftest import add_passkey
from tests.visitor import Visitor


def test_deleting_an_account_deletes_all_its_rows_and_no_other_users_rows(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    browser_of(app, alice)
    for user in (alice, bob):
        notes.delete_note(user.id, notes.create_note(user.id, "in the trash", ""))
        notes.create_note(user.id, "kept", "")
        todos.create_todo(user.id, "buy books")
        wordcounts.delete_result(user.id, wordcounts.ask(user.id, "https://example.com/deleted"))
        wordcounts.ask(user.id, "https://example.com/")
        tokens.draw(tokens.reserve(user.id, tokens.CONFIRM_EMAIL, user.email))
        add_passkey(user)
        two_step.turn_on(user.id, CLIENT)
        service.draw_challenge(service.CONFIRM, user.id)
        tokens.start_second_step(user, remember=False)
    answer = signed_in.submit("/mypage/delete", password=PASSWORD)
    assert answer.location == "/"
    assert "deleted" in signed_in.get("/").text
    left = {table: count for table, count in row_counts().items() if count}
    of_bob = {"users": 1, "account_tokens": 1, "notes": 2, "todos": 1, "results": 2}
    assert left == of_bob | {"pending_sign_ins": 1, "passkeys": 1, "recovery_codes": 10, "passkey_challenges": 1}


def test_a_wrong_password_is_refused_and_deletes_nothing(signed_in: Visitor, alice: User) -> None:
    notes.create_note(alice.id, "kept", "")
    before = row_counts()
    for password in ("", PASSWORD.upper()):
        answer = signed_in.submit("/mypage/delete", password=password)
        assert (answer.status_code, 'class="error"' in answer.text) == (422, True), password
    assert row_counts() == before
    assert signed_in.get("/notes").status_code == 200


def test_the_nickname_and_email_of_a_deleted_account_can_be_reused(
    client: Visitor, signed_in: Visitor, alice: User
) -> None:
    signed_in.submit("/mypage/delete", password=PASSWORD)
    answer = client.submit("/sign-up", email=alice.email, nickname=alice.nickname, password=PASSWORD)
    assert answer.status_code == 302


def test_every_browser_of_a_deleted_account_is_sent_to_sign_in(app: Flask, alice: User, signed_in: Visitor) -> None:
    phone = browser_of(app, alice)
    token = phone.csrf_token()
    signed_in.submit("/mypage/delete", password=PASSWORD)
    assert signed_in.get("/notes").status_code == 302
    answer = phone.post("/notes", data={"csrf_token": token, "title": "late", "content": ""})
    assert answer.location == "/sign-in"
    assert row_counts()["notes"] == 0
