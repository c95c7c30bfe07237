"""The page of one note."""

import re

import pytest

from app.accounts.models import User
from app.notes import service
from tests.visitor import Visitor


def heading(page: str) -> str:
    found = re.search(r"<h1.*?</h1>", page)
    assert found
    return found[0]


def test_its_heading_and_the_documents_title_are_its_title(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(f"/notes/{service.create_note(alice.id, 'Books <3', 'three')}").text
    assert "<title>Books &lt;3 · " in page
    assert heading(page) == "<h1><bdi>Books &lt;3</bdi></h1>"


@pytest.mark.parametrize("text", ["# the first line\n\nthe second", "- the first line", "the first line"])
def test_without_a_title_it_is_named_by_its_first_line_which_is_seen_once(
    signed_in: Visitor, alice: User, text: str
) -> None:
    page = signed_in.get(f"/notes/{service.create_note(alice.id, '', text)}").text
    assert "<title>the first line · " in page
    assert heading(page) == '<h1 class="visually-hidden"><bdi>the first line</bdi></h1>'
    assert page.partition("</h1>")[2].count("the first line") == 1
    assert "Untitled" not in page
