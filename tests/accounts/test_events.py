"""The log says who signed in, who tried to and from where, and never an e-mail address (ASVS 5.0 V16.2.5, V16.3.1)."""

import re

import pytest

from app.accounts.models import User
from tests.conftest import PASSWORD
from tests.visitor import Visitor


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "app.accounts.events"]


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def test_a_sign_in_is_logged_with_account_and_address(
    client: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.sign_in("alice@example.com", PASSWORD).status_code == 302
    assert lines(caplog) == [f"sign-in succeeded: account={alice.id} address=127.0.0.1"]


def test_a_wrong_password_is_logged_with_account_and_address(
    client: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.sign_in("alice@example.com", "not my password").status_code == 422
    assert lines(caplog) == [f"sign-in failed: account={alice.id} address=127.0.0.1"]


def test_an_unknown_address_is_logged_by_a_hash_that_tells_addresses_apart(
    client: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    for email in ("nobody@example.com", "nobody@example.com", "somebody@example.com"):
        assert client.sign_in(email, PASSWORD).status_code == 422
    first, again, other = lines(caplog)
    assert re.fullmatch(r"sign-in failed: unknown=[0-9a-f]{16} address=127\.0\.0\.1", first)
    assert first == again != other


@pytest.mark.parametrize("password", [PASSWORD, "not my password"])
@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_neither_address_nor_password_is_in_the_log(
    client: Visitor, alice: User, caplog: pytest.LogCaptureFixture, email: str, password: str
) -> None:
    client.sign_in(email, password)
    assert lines(caplog)
    assert email not in caplog.text
    assert password not in caplog.text


def test_a_form_that_is_not_tried_is_not_logged(client: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    client.sign_in("", "")
    assert lines(caplog) == []
