"""Sharing and deleting: only the owner reads a result, unless it is shared; then anybody who has the link does."""

import re

import pytest
from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, shared, stored, waiting

PARTS = ["", ".csv"]


@pytest.mark.parametrize("end", PARTS)
def test_it_works(app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User, end: str) -> None:
    public_id = done(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/share", shared="1").status_code == 302
    for reader in (client, browser_of(app, bob), signed_in):
        answer = reader.get(f"/wordcounts/{public_id}{end}")
        assert answer.status_code == 200
        assert "moon" in answer.text
        assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


@pytest.mark.parametrize(("query", "shared"), [("", "1"), ("?stop_words=keep&all=1&sort=word", "0")])
def test_one_comes_back_to_the_same_place_and_the_same_view(
    signed_in: Visitor, alice: User, query: str, shared: str
) -> None:
    path = f"/wordcounts/{done(alice, shared=shared == '0')}"
    assert f'action="{path}/share{query}"' in signed_in.get(path + query).text.replace("&amp;", "&")
    answer = signed_in.submit(f"{path}/share{query}", shared=shared)
    assert answer.location == f"{path}{query}#sharing"
    assert 'id="sharing"' in signed_in.get(path + query).text


def test_the_owner_sees_the_link_and_a_button_to_copy_it_once_it_is_shared(
    client: Visitor, signed_in: Visitor, alice: User
) -> None:
    path = f"/wordcounts/{done(alice)}"
    link = f'value="http://localhost{path}" readonly'
    assert not re.search(f"{link}|js/copy\\.", signed_in.get(path).text)
    signed_in.submit(f"{path}/share", shared="1")
    page = signed_in.get(path).text
    assert link in page
    assert re.search(r'<button [^>]*data-copy="link"[^>]* hidden>', page)
    assert "js/copy." in page
    assert "js/copy." not in client.get(path).text


def test_it_can_be_stopped(app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User) -> None:
    path = f"/wordcounts/{shared(alice)}"
    assert signed_in.submit(f"{path}/share", shared="0").status_code == 302
    for end in PARTS:
        answers = [browser.get(path + end).status_code for browser in (client, browser_of(app, bob), signed_in)]
        assert answers == [302, 404, 200]


@pytest.mark.parametrize("end", ["", ".csv?stop_words=keep"])
def test_a_stranger_is_led_to_sign_in_and_back_to_what_is_not_shared(client: Visitor, alice: User, end: str) -> None:
    path = f"/wordcounts/{done(alice)}{end}"
    asked = client.get(path)
    assert asked.status_code == 302
    assert "moon" not in asked.text
    fields = {"email": "alice@example.com", "password": "a long enough sentence"}
    answer = client.post(asked.location, data={"csrf_token": client.csrf_token(), **fields})
    assert answer.location == path


def test_a_stranger_cannot_tell_what_is_not_shared_from_what_is_not_there(client: Visitor, alice: User) -> None:
    there, nowhere = done(alice), "00000000-0000-4000-8000-000000000000"
    answers = [client.get(f"/wordcounts/{public_id}") for public_id in (there, nowhere)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].text.replace(str(there), nowhere) == answers[1].text


def test_who_has_the_link_sees_neither_the_owners_name_nor_the_owners_buttons(
    app: Flask, client: Visitor, alice: User, bob: User
) -> None:
    alice_is = (alice.nickname, alice.email)
    for public_id in (shared(alice), failed(alice, "dns")):
        service.share_result(alice.id, public_id, shared=True)
        for reader in (client, browser_of(app, bob)):
            page = reader.get(f"/wordcounts/{public_id}").text
            assert f"/wordcounts/{public_id}/" not in page
            assert 'id="sharing"' not in page
            assert not [name for name in alice_is if name in page]
            assert '<meta name="robots" content="noindex">' in page


@pytest.mark.parametrize(
    ("query", "fields", "status"),
    [("", {}, 422), ("", {"shared": "2"}, 422), ("?sort=count", {"shared": "1"}, 400)],
)
def test_it_refuses_anything_else_and_shares_nothing(
    signed_in: Visitor, alice: User, query: str, fields: dict[str, str], status: int
) -> None:
    public_id = done(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/share{query}", **fields).status_code == status
    assert not service.get_result(alice.id, public_id).shared


def test_nobody_else_changes_it(app: Flask, alice: User, bob: User) -> None:
    """Neither one that is not shared, nor a shared one that is being counted."""
    stranger = browser_of(app, bob)
    for public_id in (done(alice), waiting(alice, shared=True)):
        before = service.get_result(alice.id, public_id)
        for action in ("share", "cancel", "again", "delete"):
            assert stranger.submit(f"/wordcounts/{public_id}/{action}", shared="1").status_code == 404
        assert service.get_result(alice.id, public_id)[:-2] == before[:-2]
    assert row_counts()["results"] == 2


def test_a_deleted_one_is_not_shared_any_more(client: Visitor, signed_in: Visitor, alice: User) -> None:
    public_id = shared(alice)
    signed_in.submit(f"/wordcounts/{public_id}/delete")
    for end in ("", ".csv", ".json"):
        assert client.get(f"/wordcounts/{public_id}{end}").status_code == 302
        assert signed_in.get(f"/wordcounts/{public_id}{end}").status_code == 404
    assert signed_in.submit(f"/wordcounts/{public_id}/share", shared="1").status_code == 404


@pytest.mark.parametrize("make", [done, waiting])
def test_a_deleted_one_is_gone_at_once(signed_in: Visitor, alice: User, make: object) -> None:
    assert callable(make)
    public_id, kept = make(alice), done(alice, url="https://example.com/kept", title="Kept")
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").location == "/wordcounts"
    page = signed_in.get("/wordcounts").text
    assert "Result deleted." in page
    assert f"{public_id}" not in page
    assert f"{kept}" in page


def test_nothing_of_what_it_says_stays(signed_in: Visitor, alice: User) -> None:
    signed_in.submit(f"/wordcounts/{done(alice)}/delete")
    row = stored("url, final_url, title, result_all, result_no_stop_words, phrases")
    assert row.pop("url") == ""
    assert set(row.values()) == {None}


def test_to_delete_one_twice_or_what_is_not_there_is_404(signed_in: Visitor, alice: User) -> None:
    public_id, kept = done(alice), done(alice)
    signed_in.submit(f"/wordcounts/{public_id}/delete")
    for gone in (public_id, "00000000-0000-4000-8000-000000000000"):
        assert signed_in.submit(f"/wordcounts/{gone}/delete").status_code == 404
    assert [result.public_id for result in service.list_results(alice.id)[0]] == [kept]
