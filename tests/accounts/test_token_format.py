"""What a token looks like: a leaked one is found by its form, and an invented one is known without the database."""

import pytest

from app.accounts.access_tokens import CHECKSUM, PREFIX, bearer_token, is_signed, is_well_formed, new_token

KEY, LATER_KEY = "k" * 32, "l" * 32


def test_each_is_another_one_and_looks_like_one_of_ours() -> None:
    tokens = {new_token(KEY) for _ in range(100)}
    assert len(tokens) == 100
    assert all(is_well_formed(token) for token in tokens)


def test_the_prefix_and_the_checksum_tell_it_from_other_text() -> None:
    token = new_token(KEY)
    for wrong in (token[:-1], token + "0", token.swapcase(), token[:10] + token[11:] + "0", "sc_", "", "x" + token[1:]):
        assert not is_well_formed(wrong)
        assert not is_signed(wrong, [KEY])


def test_it_is_signed_with_the_key_also_when_that_is_an_earlier_one() -> None:
    token = new_token(KEY)
    assert is_signed(token, [KEY])
    assert is_signed(token, [LATER_KEY, KEY])
    assert not is_signed(token, [LATER_KEY])
    assert not is_signed(token, [])


def test_whoever_knows_the_form_alone_cannot_sign_one() -> None:
    """The checksum is right: it is that of the letters, which anybody can compute."""
    ours, theirs = new_token(KEY), new_token(LATER_KEY)
    assert is_well_formed(theirs)
    assert not is_signed(theirs, [KEY])
    mixed = theirs[: len(PREFIX) + 32] + ours[len(PREFIX) + 32 : -CHECKSUM]
    assert not any(is_signed(mixed + theirs[-CHECKSUM:], [key]) for key in (KEY, LATER_KEY))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("", ""),
        ("Bearer", ""),
        ("abc", ""),
        ("Basic abc", ""),
        ("Token abc", ""),
    ],
)
def test_the_header_holds_a_bearer_token_or_none(header: str, token: str) -> None:
    assert bearer_token(header) == token
