"""A plain server for tests: a bare repository with its hook, HAProxy with TLS, and a checkout that pushes there."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import urllib3

from tests.child import child
from tests.live.conftest import Browser
from tests.mail.smtp_server import self_signed_certificate
from tests.online_migrations.migrating import traffic
from tests.waiting import WITHIN
from tools.dev import ports
from tools.dev.processes import Child, spawn
from tools.plain_server import builds, processes
from tools.plain_server.place import Place
from tools.plain_server.setting_up import set_up

ROOT = Path(__file__).parents[2]
HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
# What a release runs. A copy, so that tests can change it, and deploy what is not committed yet.
PACKAGES = ("app", "environment", "http_server", "migrations", "online_migrations")
DEPLOYED = (*PACKAGES, "*.py", "Procfile", "requirements.txt")
GIT = ("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
# The shape of this repository's Procfile, of a service that needs no database and starts at once.
SMALL = {
    "Procfile": """\
release: python small.py release
web: python small.py web
worker: python small.py worker
""",
    "requirements.txt": (ROOT / "requirements.txt").read_text(),
    "small.py": """\
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HEROKU_SLUG_COMMIT"].encode())


if sys.argv[1] == "release":
    sys.exit()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if sys.argv[1] == "worker":
    signal.pause()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
""",
}


@dataclass(frozen=True)
class PlainSite:
    """
    Args:
        checkout: a clone whose remote `production` is the server.
        url: of HAProxy.
        certificate: of HAProxy, whom nobody else trusts.
    """

    place: Place
    checkout: Path
    url: str
    certificate: Path

    def browser(self) -> Browser:
        browser = Browser(self.url)
        browser._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30), ca_certs=str(self.certificate))
        return browser

    def commit(self, changes: Mapping[str, str]) -> str:
        """Commit files with these texts, and return the commit."""
        for name, text in changes.items():
            (self.checkout / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A change")
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.git("push", *(arguments or ("production", "HEAD:main")), check=False)

    def check_out_live(self) -> None:
        self.git("fetch", "--quiet", "production")
        self.git("reset", "--quiet", "--hard", "production/main")

    def pushing(self, *options: str) -> AbstractContextManager["Deploy"]:
        return self.deploying([*GIT, "push", *options, "production", "HEAD:main"])

    @contextmanager
    def deploying(self, command: list[str | Path]) -> Iterator["Deploy"]:
        with child(command, cwd=self.checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            yield Deploy(process, self.place)

    @contextmanager
    def traffic(self) -> Iterator[Counter[str]]:
        """Send requests one after the other, each once, and count each answer."""
        answers: Counter[str] = Counter()
        browser = self.browser()

        def visit(*_: int) -> None:
            try:
                answers[str(browser.get("/sign-in").status)] += 1
            except Exception as error:
                answers[type(error).__name__] += 1

        with traffic(1, visit, least=1, pause=0.02):
            yield answers

    def receive(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.place.root / "bin/receive", *arguments], capture_output=True, text=True)

    def releases(self) -> list[dict[str, Any]]:
        """Return them, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.receive("releases", "--json").stdout)
        return found

    def live(self) -> dict[str, Any]:
        [release] = [release for release in self.releases() if release["current"]]
        return release

    def running(self) -> set[tuple[str, int]]:
        """Name and version of each process."""
        return {(process.name, process.version) for process in processes.running(self.place)}

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*GIT, *arguments], cwd=self.checkout, check=check, capture_output=True, text=True)


@dataclass(frozen=True)
class Deploy:
    """Watch a deploy that is under way."""

    process: "subprocess.Popen[str]"
    place: Place

    def read_until(self, words: str) -> None:
        """Read on in what it says."""
        assert self.process.stdout
        said = []
        for line in self.process.stdout:
            said.append(line)
            if words in line:
                return
        raise AssertionError(f"the deploy did not say {words!r} but: {''.join(said)}")

    def signal(self, number: signal.Signals) -> None:
        receive = str(self.place.root / "bin/receive")
        [process] = [one for one in psutil.process_iter(["cmdline"]) if receive in (one.info["cmdline"] or [])]
        process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for the end, and return the exit code and the rest of what was said."""
        rest, _ = self.process.communicate(timeout=WITHIN)
        return self.process.returncode, rest


Texts = Mapping[str, str]


@contextmanager
def plain_site(environment: Texts, tree: Texts | None = None, name: str = "site") -> Iterator[PlainSite]:
    """Yield a server to which nothing has been pushed yet.

    Args:
        environment: of the app.
        tree: the texts of what is pushed, by their paths; None: this repository.
        name: of the site's folder.
    """
    assert HAPROXY, "haproxy is not installed: apt-get install haproxy"
    with ExitStack() as stack:
        # Not pytest's folder, whose name is too long for the path of a socket.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plain-", ignore_cleanup_errors=True)))
        place = Place(folder / name)
        first, second, https = ports.find_free(3)
        certificate = self_signed_certificate(folder / "certificate.pem")
        set_up(place.root)
        settings = {
            "host": "127.0.0.1",
            "ports": [first, second],
            "binds": [f"127.0.0.1:{https} ssl crt {certificate}"],
            "admin_socket": str(folder / "haproxy"),
            "haproxy_user": "",
            "python": sys.executable,
        }
        (place.root / "server.json").write_text(json.dumps(settings))
        lines = {"SECRET_KEY": secrets.token_hex(32), **environment, "APP_SETTINGS": "config.ProductionConfig"}
        (place.root / "environment").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        _offer_own_packages(place)
        stack.callback(_kill_all, place)
        checkout = _checkout(folder / "checkout", place, tree)
        site = PlainSite(place, checkout, f"https://127.0.0.1:{https}", certificate)
        configuration = folder / "haproxy.cfg"
        configuration.write_text(site.receive("haproxy").stdout)
        log = folder / "haproxy.log"
        haproxy = Child("haproxy", spawn([HAPROXY, "-db", "-f", str(configuration)], log=log), log)
        stack.callback(haproxy.stop)
        haproxy.wait_until((folder / "haproxy").exists, 10)
        yield site


def _kill_all(place: Place) -> None:
    """Kill all that runs: nothing of it is needed any more."""
    while left := processes.running(place):
        for process in left:
            with suppress(ProcessLookupError):
                os.killpg(process.group, signal.SIGKILL)


def _offer_own_packages(place: Place) -> None:
    """Offer this environment in place of one that would take a minute to install: it holds the same packages."""
    key = builds.key(sys.executable, ROOT / "requirements.txt")
    environment = place.virtual_environments / key
    environment.symlink_to(Path(sys.prefix).resolve())
    assert (environment / builds.WHOLE).exists(), "the tests run in the environment of `make install`"


def _checkout(folder: Path, place: Place, tree: Texts | None) -> Path:
    folder.mkdir()
    for path in [path for pattern in DEPLOYED for path in ROOT.glob(pattern)] if tree is None else []:
        if path.is_dir():
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)
    for name, text in (tree or {}).items():
        (folder / name).write_text(text)
    remote, commit = ("remote", "add", "production", str(place.repository)), ("commit", "--quiet", "--message", "One")
    for arguments in (("init", "--quiet", "--initial-branch=main"), remote, ("add", "--all"), commit):
        subprocess.run([*GIT, *arguments], cwd=folder, check=True, capture_output=True)
    return folder
