"""One's own results: listed, shared with anybody who has the link, and deleted."""

import re

import pytest
from flask import Flask
from sqlalchemy import insert

from app.accounts.models import User
from app.wordcounts import service
from app.wordcounts.models import Result
from tests.conftest import browser_of
from tests.database import commit
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, shared, stored, waiting


def create(user: User, count: int) -> None:
    """Insert results directly, past the rate limit."""
    rows = [{"user_id": user.id, "url": f"https://example.com/{number}"} for number in range(count)]
    commit(insert(Result), rows)


def listed(page: str) -> list[str]:
    return re.findall(r'<a href="/wordcounts/[-0-9a-f]{36}"><bdi>https://example.com/(\d+)</bdi>', page)


@pytest.mark.parametrize("count", [20, 45])
def test_the_pages_hold_every_result_once_the_newest_first(signed_in: Visitor, alice: User, count: int) -> None:
    create(alice, count)
    page = signed_in.get("/wordcounts").text
    found = listed(page)
    while older := re.search(r'href="(/wordcounts\?before=\d+)"', page):
        page = signed_in.get(older[1]).text
        assert len(listed(page)) <= 20
        found += listed(page)
    assert found == [f"{number}" for number in reversed(range(count))]


def test_a_row_says_what_became_of_it(signed_in: Visitor, alice: User) -> None:
    made = [waiting(alice), waiting(alice, status="running"), failed(alice, "dns"), shared(alice, total_words=1284)]
    page = signed_in.get("/wordcounts").text
    states = re.findall(r'<span class="status \w+"><svg.*?</svg>(.*)</span>', page)
    assert states == ["Failed", "Counting…", "Waiting"]  # that one was counted, its words say
    assert "1,284 words" in page
    assert page.count("Shared") == 1
    for public_id, action in zip(made, ("cancel", "cancel", "again", "again"), strict=True):
        for end in ("", f"/{action}", "/delete"):
            assert f'"/wordcounts/{public_id}{end}"' in page
    assert len(re.findall(r'"/wordcounts/[^/"]+/(?:cancel|again)"', page)) == len(made)


def test_a_page_is_told_to_the_reader_of_the_screen_with_each_button(signed_in: Visitor, alice: User) -> None:
    done(alice)
    waiting(alice)
    page = signed_in.get("/wordcounts").text
    for name, action in (("Half moon", "Count again"), ("https://example.com/moon", "Cancel")):
        for button in (action, "Delete"):
            assert f'aria-label="{button}: {name}"' in page


def test_a_result_deleted_while_one_reads_shifts_nothing(signed_in: Visitor, alice: User) -> None:
    create(alice, 25)
    results, older = service.list_results(alice.id)
    service.delete_result(alice.id, results[-1].public_id)
    create(alice, 1)
    assert listed(signed_in.get(f"/wordcounts?before={older}").text) == ["4", "3", "2", "1", "0"]


def test_an_empty_history_says_what_to_do_and_a_place_that_is_none_is_400(signed_in: Visitor) -> None:
    assert "Enter the address of a web page" in signed_in.get("/wordcounts").text
    assert "No older results." in signed_in.get("/wordcounts?before=1").text
    assert signed_in.get("/wordcounts?before=0").status_code == 400


def test_everybody_reads_a_shared_one_until_that_is_stopped(
    app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User
) -> None:
    path = f"/wordcounts/{done(alice)}"
    readers = (client, browser_of(app, bob), signed_in)
    for wanted, statuses in (("1", [200, 200, 200]), ("0", [302, 404, 200])):
        assert signed_in.submit(f"{path}/share", shared=wanted).status_code == 302
        for end in ("", ".csv"):
            answers = [reader.get(path + end) for reader in readers]
            assert [answer.status_code for answer in answers] == statuses
            assert ["moon" in answer.text for answer in answers] == [status == 200 for status in statuses]
            assert {answer.headers["Referrer-Policy"] for answer in answers} == {"strict-origin-when-cross-origin"}


@pytest.mark.parametrize(("query", "shared"), [("", "1"), ("?stop_words=keep&all=1&sort=word", "0")])
def test_one_comes_back_to_the_same_place_and_view(signed_in: Visitor, alice: User, query: str, shared: str) -> None:
    path = f"/wordcounts/{done(alice, shared=shared == '0')}"
    assert f'action="{path}/share{query}"' in signed_in.get(path + query).text.replace("&amp;", "&")
    answer = signed_in.submit(f"{path}/share{query}", shared=shared)
    assert answer.location == f"{path}{query}#sharing"
    assert 'id="sharing"' in signed_in.get(path + query).text


def test_once_shared_the_owner_sees_a_link_and_a_copy_button(client: Visitor, signed_in: Visitor, alice: User) -> None:
    path = f"/wordcounts/{done(alice)}"
    link = f'value="http://localhost{path}" readonly'
    assert not re.search(f"{link}|js/copy\\.", signed_in.get(path).text)
    signed_in.submit(f"{path}/share", shared="1")
    page = signed_in.get(path).text
    assert link in page
    assert re.search(r'<button [^>]*data-copy="link"[^>]* hidden>', page)
    assert "js/copy." in page
    assert "js/copy." not in client.get(path).text


def test_a_stranger_cannot_tell_what_is_not_shared_from_what_is_not_there(client: Visitor, alice: User) -> None:
    there, nowhere = done(alice), "00000000-0000-4000-8000-000000000000"
    answers = [client.get(f"/wordcounts/{public_id}") for public_id in (there, nowhere)]
    assert [answer.location for answer in answers] == [f"/sign-in?next=/wordcounts/{id_}" for id_ in (there, nowhere)]
    assert answers[0].text.replace(str(there), nowhere) == answers[1].text


def test_who_has_the_link_sees_nothing_of_the_owners(app: Flask, client: Visitor, alice: User, bob: User) -> None:
    alice_is = (alice.nickname, alice.email)
    for public_id in (shared(alice), failed(alice, "dns")):
        service.share_result(alice.id, public_id, shared=True)
        for reader in (client, browser_of(app, bob)):
            page = reader.get(f"/wordcounts/{public_id}").text
            assert f"/wordcounts/{public_id}/" not in page
            assert 'id="sharing"' not in page
            assert not [name for name in alice_is if name in page]
            assert '<meta name="robots" content="noindex">' in page


def test_it_refuses_anything_else_and_shares_nothing(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    path = f"/wordcounts/{public_id}/share"
    assert signed_in.submit(path).status_code == 422
    assert signed_in.submit(path, shared="2").status_code == 422
    assert signed_in.submit(f"{path}?all=2", shared="1").status_code == 400
    assert not service.get_result(alice.id, public_id).shared


def test_a_deleted_one_is_not_shared_any_more(client: Visitor, signed_in: Visitor, alice: User) -> None:
    public_id = shared(alice)
    signed_in.submit(f"/wordcounts/{public_id}/delete")
    for end in ("", ".csv", ".json"):
        assert client.get(f"/wordcounts/{public_id}{end}").status_code == 302
        assert signed_in.get(f"/wordcounts/{public_id}{end}").status_code == 404
    assert signed_in.submit(f"/wordcounts/{public_id}/share", shared="1").status_code == 404


def test_a_deleted_one_is_gone_at_once_with_all_that_it_says(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").location == "/wordcounts"
    row = stored("url, final_url, title, result_all, result_no_stop_words, phrases")
    assert row.pop("url") == ""
    assert set(row.values()) == {None}
    kept = waiting(alice)
    assert "Result deleted." in signed_in.get("/wordcounts").text
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").status_code == 404
    assert [result.public_id for result in service.list_results(alice.id)[0]] == [kept]


def test_a_shared_result_for_a_stranger_costs_one_statement(app: Flask, alice: User, statements: list[str]) -> None:
    public_id = shared(alice)
    for end in ("", ".csv", ".json"):
        statements.clear()
        assert app.test_client().get(f"/wordcounts/{public_id}{end}").status_code == 200
        assert len(statements) == 1, statements
