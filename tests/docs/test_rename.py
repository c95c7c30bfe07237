"""`make rename` leaves the name of before where CONTRIBUTING.md says so, and nowhere else."""

import pytest

from app.accounts.password_policy import CONTEXT
from app.portability.archive import FORMAT
from tests.docs.test_contributing import Checkout, checkout

__all__ = ["checkout"]  # a fixture

SITE, KOREAN = CONTEXT[:2]
STAYS = ("app/portability/archive.py", "migrations/versions/", "tools/rename.py")
TESTS = [
    *("tests/accounts/test_password_policy.py", "tests/mail", "tests/portability/test_export.py"),
    *("tests/test_config.py", "tests/web/test_installation.py", "tests/web/test_templates.py"),
]


@pytest.mark.minutes
@pytest.mark.servers
@pytest.mark.timeout(900)
@pytest.mark.skipif(SITE != FORMAT, reason="the service has a name of its own already")
def test_no_page_and_no_mail_has_the_name_of_before(checkout: Checkout) -> None:
    for names in (("NAME=half moon", "KOREAN=반쪽달"), ("NAME=Half Moon",), ("NAME=Half-Moon", "KOREAN=반쪽달")):
        assert "Give the name in Latin letters and in Korean" in checkout.make("rename", *names, status=2)
    checkout.make("rename", "NAME=Half Moon", "KOREAN=반쪽달")
    checkout.make("translations", "format")
    assert "Commit what you have changed" in checkout.make("rename", "NAME=Other", "KOREAN=다른", status=2)
    found = checkout.run("git", "grep", "--ignore-case", "--name-only", "--extended-regexp", f"{SITE}|{KOREAN}").split()
    assert [name for name in found if not name.startswith(STAYS)] == []
    checkout.commit()
    checkout.run("ruff", "check", "--quiet")
    checkout.run("python", "-m", "pytest", "-q", "-m", "not browser and not servers and not minutes", *TESTS)
