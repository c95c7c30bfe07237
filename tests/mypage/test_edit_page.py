"""The edit page has five forms. A refused form shows its error on top and at the field; the others do not change."""

import gzip
import re
from collections import Counter
from io import BytesIO

import pytest

from app.accounts.models import User
from tests.visitor import TOKEN, Visitor

Field = str | tuple[bytes, str]

REFUSED: dict[str, tuple[dict[str, Field], str]] = {
    "photo": ({"photo": (b"not an image", "me.jpg")}, "#photo"),
    "nickname": ({"nickname": "Bob"}, "#nickname"),
    "password": ({"current_password": "another sentence", "new_password": "a new sentence"}, "#current_password"),
    "settings": ({"language": "ko", "time_zone": "Mars/Phobos"}, "#time_zone"),
    "delete": ({"password": "another sentence"}, "#password"),
}


def refused(browser: Visitor, form: str) -> str:
    fields = {
        name: (BytesIO(value[0]), value[1]) if isinstance(value, tuple) else value
        for name, value in REFUSED[form][0].items()
    }
    answer = browser.submit(f"/mypage/{form}", **fields)
    assert answer.status_code == 422
    return answer.text


@pytest.mark.parametrize("form", REFUSED)
def test_the_error_summary_has_the_focus_and_links_to_the_field(signed_in: Visitor, bob: User, form: str) -> None:
    page = refused(signed_in, form)
    target = REFUSED[form][1]
    assert page.count("autofocus") == page.count('class="message wrong"') == 1
    assert re.search(rf'<div class="message wrong" role="alert" tabindex="-1" autofocus>.*?href="{target}"', page, re.S)
    assert page.index("message wrong") < page.index("<h2")
    assert page.count(f'id="{target[1:]}"') == 1
    assert page.count(f'id="{target[1:]}-error"') == 1
    assert re.search(rf'aria-describedby="[^"]*{target[1:]}-error', page)


@pytest.mark.parametrize("form", [None, "password"])
def test_every_id_is_unique_and_every_label_refers_to_a_field(signed_in: Visitor, bob: User, form: str | None) -> None:
    page = refused(signed_in, form) if form else signed_in.get("/mypage/edit").text
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    referred = re.findall(r'<label[^>]* for="([^"]+)"', page)
    for names in re.findall(r'aria-(?:describedby|labelledby)="([^"]*)"', page):
        referred += names.split()
    assert set(referred) <= set(ids)


def test_a_refused_form_keeps_the_typed_text_but_no_password_and_changes_no_other(
    signed_in: Visitor, bob: User
) -> None:
    assert 'value="Bob"' in refused(signed_in, "nickname")
    for form in ("password", "delete"):
        page = refused(signed_in, form)
        assert "sentence" not in page.replace("A whole sentence", "")
        assert 'value="alice"' in page
        assert page.count('class="error"') == 2  # one is the empty error that photo.js fills in
    assert "<details open>" in page


def test_the_delete_form_is_collapsed_and_password_forms_carry_the_username(signed_in: Visitor) -> None:
    page = signed_in.get("/mypage/edit").text
    assert "<details>" in page
    assert page.count('autocomplete="username" value="alice@example.com"') == 2  # for password managers


def test_the_page_is_at_most_10_kib_compressed(signed_in: Visitor) -> None:
    """The CSRF token is 91 random letters. It is left out and allowed for, so that the size is the same each time."""
    signed_in.submit("/mypage/settings", language="ko", time_zone="Asia/Seoul")
    page = TOKEN.sub("", signed_in.get("/mypage/edit").text)
    assert len(gzip.compress(page.encode())) <= 10 * 1024 - 91
