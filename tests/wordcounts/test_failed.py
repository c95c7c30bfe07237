"""A failed result: one sentence says what happened and what to do."""

import pytest
from flask import Flask

from app.accounts.models import User
from app.wordcounts.failures import CANCELLED, INTERRUPTED, Failure
from app.wordcounts.forms import SENTENCES, failure_sentence
from tests.visitor import Visitor
from tests.wordcounts.hostile_urls import REFUSED_URLS
from tests.wordcounts.results import failed


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_failed_one_says_why_and_can_be_counted_again(signed_in: Visitor, alice: User, code: str) -> None:
    public_id = failed(alice, code)
    page = signed_in.get(f"/wordcounts/{public_id}").text
    with signed_in.application.test_request_context():
        assert str(SENTENCES[code]) in page.replace("&#39;", "'").replace("&#34;", '"')
    assert f'action="/wordcounts/{public_id}/again"' in page


def test_a_reason_that_this_release_does_not_know_has_a_sentence(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.get(f"/wordcounts/{failed(alice, 'moon_dust')}")
    assert answer.status_code == 200
    with signed_in.application.test_request_context():
        assert str(SENTENCES["worker"]) in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "https://example.com:5077/a",
            "opened on port 5077. Remove “:5077” from the address.",
        ),
        ("https://example.com/a:5077", "opened on that port. Remove the colon"),
        ("https://[2001:db8::5077]/", "opened on that port. Remove the colon"),
        ("https://example.com:/", "opened on that port. Remove the colon"),
    ],
)
def test_a_port_is_named_if_the_address_holds_it(signed_in: Visitor, alice: User, url: str, sentence: str) -> None:
    assert sentence in signed_in.get(f"/wordcounts/{failed(alice, Failure.PORT, url)}").text


def test_a_name_that_was_not_resolved_is_not_said_to_be_nowhere(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(f"/wordcounts/{failed(alice, Failure.DNS)}").text
    assert "find this website. Check the spelling of its address." in page


@pytest.mark.parametrize(("code", "url"), REFUSED_URLS)
def test_every_address_that_is_refused_has_a_sentence(app: Flask, code: str, url: str) -> None:
    with app.test_request_context():
        assert failure_sentence(code, url)


@pytest.mark.parametrize("extension", ["csv", "json"])
def test_a_failed_one_has_nothing_to_download(signed_in: Visitor, alice: User, extension: str) -> None:
    assert signed_in.get(f"/wordcounts/{failed(alice, 'dns')}.{extension}").status_code == 404


def test_every_code_has_a_sentence_of_its_own() -> None:
    assert set(SENTENCES) == {*Failure, INTERRUPTED, CANCELLED}
    assert len({str(sentence) for sentence in SENTENCES.values()}) == len(SENTENCES)


def test_a_code_that_was_stored_as_text_finds_its_sentence() -> None:
    assert SENTENCES["http_4xx"] is SENTENCES[Failure.HTTP_4XX]
