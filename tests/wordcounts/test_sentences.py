"""A reader is told every failure in one sentence."""

from app.wordcounts.failures import INTERRUPTED, Failure
from app.wordcounts.sentences import SENTENCES


def test_every_code_has_a_sentence_of_its_own() -> None:
    assert set(SENTENCES) == {*Failure, INTERRUPTED}
    assert len({str(sentence) for sentence in SENTENCES.values()}) == len(SENTENCES)


def test_a_code_that_was_stored_as_text_finds_its_sentence() -> None:
    assert SENTENCES["http_4xx"] is SENTENCES[Failure.HTTP_4XX]
