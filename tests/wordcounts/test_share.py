"""Sharing and deleting: only the owner reads a result, unless it is shared; then anybody who has the link does."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import Result
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, shared, waiting

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


@pytest.mark.parametrize("shared", ["1", "0"])
@pytest.mark.parametrize("query", ["", "?stop_words=keep&all=1&sort=word"])
def test_one_comes_back_to_the_same_place_and_the_same_view(
    signed_in: Visitor, alice: User, query: str, shared: str
) -> None:
    path = f"/wordcounts/{done(alice, shared=shared == '0')}"
    assert f'action="{path}/share{query}"' in signed_in.get(path + query).text.replace("&amp;", "&")
    answer = signed_in.submit(f"{path}/share{query}", shared=shared)
    assert answer.location == f"{path}{query}#sharing"
    assert 'id="sharing"' in signed_in.get(path + query).text


def test_a_view_that_is_none_of_ours_is_400_and_shares_nothing(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/share?sort=count", shared="1").status_code == 400
    assert not service.get_result(alice.id, public_id).shared


def test_the_link_stands_above_the_figures(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(f"/wordcounts/{shared(alice)}").text
    assert page.index('id="result"') < page.index('id="sharing"') < page.index('class="totals"')


def test_only_who_sees_a_link_loads_the_script_that_copies_it(client: Visitor, signed_in: Visitor, alice: User) -> None:
    public_id = shared(alice)
    assert re.search(r'<button [^>]*data-copy="link"[^>]* hidden>', signed_in.get(f"/wordcounts/{public_id}").text)
    assert "js/copy." in signed_in.get(f"/wordcounts/{public_id}").text
    assert "js/copy." not in client.get(f"/wordcounts/{public_id}").text
    assert "js/copy." not in signed_in.get(f"/wordcounts/{done(alice)}").text


@pytest.mark.parametrize("end", PARTS)
def test_it_can_be_stopped(app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User, end: str) -> None:
    public_id = shared(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/share", shared="0").status_code == 302
    assert client.get(f"/wordcounts/{public_id}{end}").status_code == 302
    assert browser_of(app, bob).get(f"/wordcounts/{public_id}{end}").status_code == 404
    assert signed_in.get(f"/wordcounts/{public_id}{end}").status_code == 200


@pytest.mark.parametrize("end", ["", ".csv", "?stop_words=keep"])
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


def test_the_owner_sees_the_link_once_it_is_shared(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    link = f'value="http://localhost/wordcounts/{public_id}" readonly'
    assert link not in signed_in.get(f"/wordcounts/{public_id}").text
    service.share_result(alice.id, public_id, shared=True)
    assert link in signed_in.get(f"/wordcounts/{public_id}").text


@pytest.mark.parametrize("fields", [{}, {"shared": "2"}])
def test_it_refuses_anything_else_and_shares_nothing(signed_in: Visitor, alice: User, fields: dict[str, str]) -> None:
    public_id = done(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/share", **fields).status_code == 422
    assert not service.get_result(alice.id, public_id).shared


@pytest.mark.parametrize("is_shared", [True, False])
def test_nobody_else_changes_it_and_a_link_changes_nothing(
    app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User, is_shared: bool
) -> None:
    public_id = done(alice, shared=is_shared)
    before = row_counts()
    for action in ("share", "cancel", "again", "delete"):
        path = f"/wordcounts/{public_id}/{action}"
        assert browser_of(app, bob).submit(path, shared="1").status_code == 404
        assert client.submit(path, shared="1").location == "/sign-in"
        assert signed_in.get(path).status_code == 405
    assert service.get_result(alice.id, public_id).shared == is_shared
    assert row_counts()["results"] == before["results"]


def test_sharing_one_shares_no_other(client: Visitor, signed_in: Visitor, alice: User) -> None:
    public_id, other = done(alice), done(alice)
    signed_in.submit(f"/wordcounts/{public_id}/share", shared="1")
    assert client.get(f"/wordcounts/{other}").status_code == 302


def test_a_deleted_one_is_not_shared_any_more(client: Visitor, signed_in: Visitor, alice: User) -> None:
    public_id = shared(alice)
    signed_in.submit(f"/wordcounts/{public_id}/delete")
    assert client.get(f"/wordcounts/{public_id}").status_code == 302
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
    result = db.session.scalars(select(Result).execution_options(populate_existing=True)).one()
    assert result.url == ""
    assert [result.final_url, result.title, result.result_all, result.result_no_stop_words, result.phrases] == [
        None
    ] * 5


def test_to_delete_one_twice_is_404(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    signed_in.submit(f"/wordcounts/{public_id}/delete")
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").status_code == 404


def test_to_delete_what_is_not_there_is_404(signed_in: Visitor, alice: User) -> None:
    done(alice)
    assert signed_in.submit("/wordcounts/00000000-0000-4000-8000-000000000000/delete").status_code == 404
    assert len(service.list_results(alice.id).results) == 1
