"""Our own service on a plain server: what is pushed goes live without a failed request, or is refused.

tests/live/test_pushes.py has the rules of pushes, with a service that starts at once.
"""

import asyncio
import re
import signal
import sys
import threading
from collections.abc import Iterator

import psycopg2
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.databases import Environment, empty_database
from tests.live.conftest import PASSWORD, ROOT, Browser
from tests.live.plain_site import HAPROXY, PlainSite, plain_site
from tests.mail.smtp_server import Mailbox, smtp_server, text_of
from tests.waiting import WITHIN, wait_until
from tools.deployment import commands
from tools.deployment.limits import Limits

pytestmark = [pytest.mark.servers, pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")]

# The schema is there; so a deploy that is about processes needs no release phase.
WITHOUT_RELEASE = "web: python start.py gunicorn\nworker: python start.py flask worker\n"


class SlowMailbox(Mailbox):
    """Take a letter when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.asked.set()
        await asyncio.to_thread(self.may_answer.wait, WITHIN)
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture(scope="module")
def mailbox() -> SlowMailbox:
    return SlowMailbox()


@pytest.fixture(scope="module")
def environment_of_site(server_environment: Environment, mailbox: SlowMailbox) -> Iterator[Environment]:
    with empty_database(server_environment) as environment, smtp_server(mailbox) as smtp:
        yield {
            **environment,
            "WEB_CONCURRENCY": "1",
            "SMTP_URL": f"smtp://127.0.0.1:{smtp.port}",
            "MAIL_FROM": "hello@semicircle.example",
            "SITE_URL": "https://semicircle.example",
        }


@pytest.fixture(scope="module")
def shared_site(environment_of_site: Environment) -> Iterator[PlainSite]:
    with plain_site(environment_of_site) as site:
        pushed = site.push()
        assert pushed.returncode == 0, pushed.stderr
        yield site


@pytest.fixture
def site(shared_site: PlainSite) -> Iterator[PlainSite]:
    """Yield the site, with the checkout at the live release before and after the test."""
    yield shared_site
    shared_site.check_out_live()


def newest(site: PlainSite) -> tuple[str, str]:
    release = site.releases()[0]
    return release["commit"], release["status"]


def assert_serves_alone(site: PlainSite, version: int) -> None:
    assert site.live()["version"] == version
    assert site.running() == {("web", version), ("worker", version)}
    assert site.browser().get("/healthz").status == 200


def test_what_is_pushed_serves_a_journey_from_sign_up_to_a_note(
    site: PlainSite, mailbox: SlowMailbox, environment_of_site: Environment
) -> None:
    assert "Release phase:" not in site.push().stderr  # it is live: nothing is done again
    browser = site.browser()
    browser.headers |= {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "elsewhere.example", "X-Request-ID": "7" * 32}
    sign_up_by_mail(browser, mailbox, "haneul")
    assert browser.post("/notes", title="half", content="반만 적어 두세요").headers["Location"].startswith("/notes")
    shown = browser.get("/notes")
    assert "반만 적어 두세요" in shown.data.decode()
    assert re.fullmatch(r"[0-9a-f-]{36}", shown.headers["X-Request-ID"])  # the proxy's, not the client's
    with psycopg2.connect(environment_of_site["DATABASE_URL"].replace("+psycopg2", "")) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT DISTINCT host(ip::inet) FROM user_sessions")
        assert cursor.fetchall() == [("127.0.0.1",)]  # the peer of the proxy, not what it claims to be


@pytest.mark.timeout(300)  # a deploy and a rollback
def test_no_request_fails_while_bin_deploy_takes_over_and_bin_rollback_goes_back_and_a_job_under_way_is_finished(
    site: PlainSite, mailbox: SlowMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.live()
    commit = site.commit({"Procfile": WITHOUT_RELEASE, "Makefile": "test:\n\t@true\n", ".gitignore": "instance/\n"})
    site.git("remote", "add", "staging", str(site.place.repository))
    site.git("config", "remote.staging.receive", str(site.place.root / "bin/receive"))
    site.git("config", "remote.staging.site", site.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(site.certificate))
    monkeypatch.setenv("HOME", str(site.place.root))
    sign_up_by_mail(site.browser(), mailbox, "smoke")
    netrc = site.place.root / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login smoke@example.com password "{PASSWORD}"\n')
    netrc.chmod(0o600)

    with site.traffic() as answers:
        with site.deploying([sys.executable, ROOT / "bin/deploy", "staging"]) as deploy:
            deploy.read_until("the processes before it are replaced")
            deploy.signal(signal.SIGSTOP)  # long enough to begin a job in the old worker
            mailbox.messages.clear()
            mailbox.asked.clear()
            mailbox.may_answer.clear()
            assert site.browser().post("/sign-up", email="bora@example.com").status == 200
            assert mailbox.asked.wait(WITHIN)
            deploy.signal(signal.SIGCONT)
            wait_until(lambda: ("web", before["version"]) not in site.running(), "the old processes are told to stop")
            assert ("worker", before["version"]) in site.running()
            mailbox.may_answer.set()
            code, said = deploy.end()
        assert code == 0, said
        assert [message["To"] for message in mailbox.messages] == ["bora@example.com"]
        assert newest(site) == (commit, "succeeded")
        version = site.live()["version"]
        assert_serves_alone(site, version)
        assert commands.rollback(["staging"], site.checkout, Limits(poll=0.1)) == 0
    assert set(answers) == {"200"}
    assert newest(site) == (before["commit"], "succeeded")
    assert_serves_alone(site, version + 1)
    logs = sorted((site.checkout / "instance/deploys").glob("*.log"))
    assert [log.read_text().rpartition("ended: ")[2] for log in logs] == [
        f"staging runs {commit[:12]} as v{version}\n",
        f"staging runs {before['commit'][:12]} again, as v{version + 1}\n",
    ]


def sign_up_by_mail(browser: Browser, mailbox: SlowMailbox, name: str) -> None:
    mailbox.messages.clear()
    assert browser.post("/sign-up", email=f"{name}@example.com").status == 200
    wait_until(lambda: mailbox.messages, "the worker sends the letter")
    [link] = re.findall(r"https://semicircle\.example(/sign-up/\S+)", text_of(mailbox.messages[0]))
    assert browser.post(link, nickname=name, password=PASSWORD).status == 302
