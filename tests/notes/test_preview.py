"""The preview: the typed text as it will be read. Nothing is stored."""

import pytest

from tests.database import row_counts
from tests.visitor import Visitor


def test_it_shows_the_text_as_the_page_of_the_note_will_and_stores_nothing(signed_in: Visitor) -> None:
    before = row_counts()
    page = signed_in.submit("/notes/preview", title="장보기", content="# 오늘\n- [ ] **우유** #장보기").text
    assert "<h1><bdi>장보기</bdi></h1>" in page
    assert "<h2>오늘</h2>" in page
    assert "<strong>우유</strong>" in page
    assert 'name="task"' not in page
    assert row_counts() == before


@pytest.mark.parametrize("content", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "x" * 60_000, "\x00", ""])
def test_any_text_is_shown_and_is_no_xss(signed_in: Visitor, content: str) -> None:
    answer = signed_in.submit("/notes/preview", title="<b>", content=content)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert 'href="javascript' not in answer.text
    assert "<b>" not in answer.text


def test_without_fields_it_is_empty(signed_in: Visitor) -> None:
    assert signed_in.submit("/notes/preview").status_code == 200


def test_a_stranger_is_sent_to_sign_in(client: Visitor) -> None:
    assert client.submit("/notes/preview", content="x").status_code == 302
