"""The search while typing: what the page of notes fetches for its results, and nothing of the rest of the page."""

import pytest
from flask import Flask

from app.accounts.models import User
from app.notes import service
from tests.conftest import browser_of
from tests.visitor import Visitor

LIST = "http://localhost/notes"


def typed(visitor: Visitor, query: str, at: str = LIST) -> tuple[str, dict[str, str]]:
    """What htmx gets for the results, and the headers of the answer."""
    headers = {"HX-Request": "true", "HX-Target": "results", "HX-Current-URL": at}
    answer = visitor.get("/notes", query_string={"q": query}, headers=headers)
    assert answer.status_code == 200
    return answer.text, dict(answer.headers)


@pytest.fixture
def notes(alice: User) -> None:
    service.create_note(alice.id, "감자", "#요리")
    service.create_note(alice.id, "milk", "")


def test_it_answers_with_the_results_and_what_is_said_of_them(signed_in: Visitor, notes: None) -> None:
    page, _ = typed(signed_in, "감자")
    assert '<div id="results" class="searched"' in page
    assert page.count("<article") == 1
    assert '<span id="found" role="status" hx-swap-oob="innerHTML">Notes found: 1</span>' in page


@pytest.mark.parametrize("query", ["", "감자", "감쟈", "없는말", "#요리"])
def test_neither_the_field_nor_the_composer_is_part_of_it(signed_in: Visitor, notes: None, query: str) -> None:
    page, _ = typed(signed_in, query)
    assert "<html" not in page
    assert 'id="search"' not in page
    assert 'name="title"' not in page
    assert 'name="content"' not in page


def test_without_a_word_it_is_the_list_again_and_nothing_is_said(signed_in: Visitor, notes: None) -> None:
    page, _ = typed(signed_in, " ")
    assert '<div id="results" data-part' in page
    assert page.count("<article") == 2
    assert 'hx-swap-oob="innerHTML"></span>' in page


@pytest.mark.parametrize(
    ("at", "header"),
    [
        (LIST, "HX-Push-Url"),
        (f"{LIST}?tag=x", "HX-Push-Url"),
        (f"{LIST}?q=a", "HX-Replace-Url"),
        ("", "HX-Push-Url"),
        ("http://[", "HX-Push-Url"),
    ],
)
def test_the_first_search_is_a_new_entry_of_the_history_and_the_next_ones_replace_it(
    signed_in: Visitor, notes: None, at: str, header: str
) -> None:
    _, headers = typed(signed_in, "milk", at)
    assert headers[header] == "/notes?q=milk"
    assert len({"HX-Push-Url", "HX-Replace-Url"} & set(headers)) == 1


def test_an_emptied_field_leads_to_the_plain_address(signed_in: Visitor, notes: None) -> None:
    _, headers = typed(signed_in, "", f"{LIST}?q=milk")
    assert headers["HX-Replace-Url"] == "/notes"


def test_caches_tell_its_answers_apart(signed_in: Visitor) -> None:
    _, headers = typed(signed_in, "milk")
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in headers["Vary"].split(",")}


def test_a_stranger_is_sent_to_the_sign_in(app: Flask) -> None:
    headers = {"HX-Request": "true", "HX-Target": "results"}
    answer = app.test_client().get("/notes?q=milk", headers=headers)
    assert answer.headers["HX-Redirect"].startswith("/sign-in")
    assert answer.text == ""


def test_another_user_gets_his_own(app: Flask, bob: User, notes: None) -> None:
    assert "감자" not in typed(browser_of(app, bob), "milk")[0]
