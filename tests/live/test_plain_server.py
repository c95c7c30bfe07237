"""A plain server: what is pushed goes live without a failed request, or is refused and the live release stays."""

import asyncio
import json
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.databases import HEAD, Environment, empty_database
from tests.live.conftest import PASSWORD
from tests.live.plain_site import HAPROXY, PlainSite, plain_site
from tests.mail.smtp_server import Mailbox, smtp_server, text_of
from tests.waiting import WITHIN, wait_until
from tools.deployment import commands
from tools.deployment.limits import Limits

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed"),
]

FAILS = f"""
from alembic import op

revision = "9999"
down_revision = "{HEAD}"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT 1 / 0")
"""
# The schema is there; so the deploys that are about processes need no release phase.
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
    shared_site.git("fetch", "--quiet", "production")
    shared_site.git("reset", "--quiet", "--hard", "production/main")


@contextmanager
def traffic(site: PlainSite) -> Iterator[Counter[str]]:
    """Send requests one after the other, each once, and count each answer."""
    answers: Counter[str] = Counter()
    stopped = threading.Event()

    def visit() -> None:
        browser = site.browser()
        while not stopped.wait(0.01):
            try:
                answers[str(browser.get("/sign-in").status)] += 1
            except Exception as error:
                answers[type(error).__name__] += 1

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield answers
    finally:
        stopped.set()
        thread.join()


def live_version(site: PlainSite) -> int:
    [version] = [release["version"] for release in site.releases() if release["current"]]
    assert isinstance(version, int)
    return version


def newest_version(site: PlainSite) -> int:
    version = site.releases()[0]["version"]
    assert isinstance(version, int)
    return version


def assert_serves_alone(site: PlainSite, version: int) -> None:
    assert live_version(site) == version
    assert site.running() == {("web", version), ("worker", version)}
    assert site.browser().get("/healthz").status == 200


def test_what_is_pushed_serves_a_journey_from_sign_up_to_a_note(
    site: PlainSite, mailbox: SlowMailbox, environment_of_site: Environment
) -> None:
    assert "Release phase:" not in site.push().stderr  # it is live: nothing is done again
    browser = site.browser()
    browser.headers |= {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "elsewhere.example", "X-Request-ID": "7" * 32}
    assert browser.post("/sign-up", email="haneul@example.com").status == 200
    wait_until(lambda: mailbox.messages, "the worker sends the letter")
    [link] = re.findall(r"https://semicircle\.example(/sign-up/\S+)", text_of(mailbox.messages[0]))
    assert browser.post(link, nickname="haneul", password=PASSWORD).status == 302
    assert browser.post("/notes", title="half", content="반만 적어 두세요").headers["Location"].startswith("/notes")
    shown = browser.get("/notes")
    assert "반만 적어 두세요" in shown.data.decode()
    assert re.fullmatch(r"[0-9a-f-]{36}", shown.headers["X-Request-ID"])  # the proxy's, not the client's
    with psycopg2.connect(environment_of_site["DATABASE_URL"].replace("+psycopg2", "")) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT DISTINCT host(ip::inet) FROM user_sessions")
        assert cursor.fetchall() == [("127.0.0.1",)]  # the peer of the proxy, not what it claims to be


def test_a_release_whose_migration_fails_is_refused_and_the_old_one_serves(site: PlainSite) -> None:
    before, main = live_version(site), site.git("ls-remote", "production", "main").stdout
    site.commit({"migrations/versions/9999_fails.py": FAILS})
    with traffic(site) as answers:
        pushed = site.push()
    assert pushed.returncode != 0
    assert "Error: The release phase failed with exit code" in pushed.stderr
    assert "division by zero" in pushed.stderr
    assert site.git("ls-remote", "production", "main").stdout == main  # so it can be pushed again
    assert site.releases()[0]["status"] == "failed"
    assert_serves_alone(site, before)
    assert set(answers) == {"200"}


@pytest.mark.parametrize(
    ("web", "within", "reason"),
    [
        ("echo no such thing today; exit 3", 60, "The web ended before it was ready: no such thing today"),
        ("exec sleep 600", 1, "The web is not ready after 1 s"),
    ],
)
def test_a_web_that_does_not_become_ready_is_left_out(site: PlainSite, web: str, within: int, reason: str) -> None:
    before, settings = live_version(site), site.place.root / "server.json"
    usual = settings.read_text()
    settings.write_text(json.dumps({**json.loads(usual), "ready_within": within}))
    site.commit({"Procfile": f"web: {web}\nworker: exec sleep 600\n"})
    pushed = site.push()
    settings.write_text(usual)
    assert pushed.returncode != 0
    assert reason in pushed.stderr
    assert site.releases()[0]["description"].startswith(f"push: {reason}")
    assert_serves_alone(site, before)


def test_no_request_fails_while_a_release_takes_over_and_a_job_under_way_is_finished(
    site: PlainSite, mailbox: SlowMailbox
) -> None:
    before = live_version(site)
    commit = site.commit({"Procfile": WITHOUT_RELEASE})
    with traffic(site) as answers, site.pushing() as push:
        push.read_until("the processes before it are replaced")
        push.signal(signal.SIGSTOP)  # long enough to begin a job in the old worker
        mailbox.messages.clear()
        mailbox.asked.clear()
        mailbox.may_answer.clear()
        assert site.browser().post("/sign-up", email="bora@example.com").status == 200
        assert mailbox.asked.wait(WITHIN)
        push.signal(signal.SIGCONT)
        wait_until(lambda: ("web", before) not in site.running(), "the old processes are told to stop")
        assert ("worker", before) in site.running()
        mailbox.may_answer.set()
        code, said = push.end()
    assert code == 0, said
    assert [message["To"] for message in mailbox.messages] == ["bora@example.com"]
    assert set(answers) == {"200"}
    assert site.releases()[0]["commit"] == commit
    assert_serves_alone(site, newest_version(site))
    assert newest_version(site) > before


def test_a_push_that_is_killed_before_its_release_is_ready_leaves_the_old_one(site: PlainSite) -> None:
    before = live_version(site)
    site.commit({"Procfile": WITHOUT_RELEASE, "killed.txt": "killed"})
    with traffic(site) as answers, site.pushing() as push:
        push.read_until("Starting web")
        push.signal(signal.SIGKILL)
        assert push.end()[0] != 0
        assert site.receive("resume").returncode == 0
    assert set(answers) == {"200"}
    assert site.releases()[0]["description"] == "push: interrupted"
    assert_serves_alone(site, before)


@pytest.mark.timeout(300)  # two deploys
def test_bin_deploy_and_bin_rollback_work_on_it(
    site: PlainSite, mailbox: SlowMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    [before], limits = [one["commit"] for one in site.releases() if one["current"]], Limits(poll=0.1)
    commit = site.commit({"Procfile": WITHOUT_RELEASE, "Makefile": "test:\n\t@true\n", ".gitignore": "instance/\n"})
    site.git("remote", "add", "staging", str(site.place.repository))
    site.git("config", "remote.staging.receive", str(site.place.root / "bin/receive"))
    site.git("config", "remote.staging.site", site.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(site.certificate))
    monkeypatch.setenv("HOME", str(site.place.root))
    sign_up_by_mail(site, mailbox, "smoke@example.com")
    netrc = site.place.root / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login smoke@example.com password "{PASSWORD}"\n')
    netrc.chmod(0o600)

    assert commands.deploy(["staging"], site.checkout, limits) == 0
    assert (site.releases()[0]["commit"], site.releases()[0]["status"]) == (commit, "succeeded")
    assert commands.rollback(["staging"], site.checkout, limits) == 0
    assert (site.releases()[0]["commit"], site.releases()[0]["status"]) == (before, "succeeded")
    logs = sorted((site.checkout / "instance/deploys").glob("*.log"))
    ends = [log.read_text().rpartition("ended: ")[2] for log in logs]
    newest = newest_version(site)
    assert ends == [
        f"staging runs {commit[:12]} as v{newest - 1}\n",
        f"staging runs {before[:12]} again, as v{newest}\n",
    ]


def sign_up_by_mail(site: PlainSite, mailbox: SlowMailbox, email: str) -> None:
    mailbox.messages.clear()
    browser = site.browser()
    assert browser.post("/sign-up", email=email).status == 200
    wait_until(lambda: mailbox.messages, "the worker sends the letter")
    [link] = re.findall(r"https://semicircle\.example(/sign-up/\S+)", text_of(mailbox.messages[0]))
    assert browser.post(link, nickname=email.partition("@")[0], password=PASSWORD).status == 302


def test_a_command_runs_in_the_environment_of_the_live_release(site: PlainSite) -> None:
    [live] = [release for release in site.releases() if release["current"]]
    ran = site.receive("run", "sh", "-c", "echo $APP_SETTINGS $HEROKU_SLUG_COMMIT $HEROKU_RELEASE_VERSION; pwd; exit 7")
    assert ran.returncode == 7
    assert ran.stdout.splitlines() == [
        f"config.ProductionConfig {live['commit']} v{live['version']}",
        str(site.place.releases / live["commit"]),
    ]


def test_a_commit_that_was_never_pushed_is_not_activated(site: PlainSite) -> None:
    before = live_version(site)
    refused = site.receive("activate", "0123456789abcdef")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: 0123456789abcdef is no commit that was pushed here")
    assert_serves_alone(site, before)


def test_an_earlier_commit_is_activated_by_its_release_phase_also_when_that_is_killed_while_it_switches(
    site: PlainSite,
) -> None:
    first = site.releases()[-1]["commit"]
    with traffic(site) as answers, site.activating(first) as activate:
        activate.read_until("the database is at")
        activate.read_until("the processes before it are replaced")
        activate.signal(signal.SIGKILL)
        assert activate.end()[0] != 0
        assert site.receive("resume").returncode == 0
    assert set(answers) == {"200"}
    assert (site.releases()[0]["commit"], site.releases()[0]["status"]) == (first, "succeeded")
    assert_serves_alone(site, newest_version(site))
    assert site.git("ls-remote", "production", "main").stdout.startswith(first)
