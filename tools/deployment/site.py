"""Look at the site as a browser does, and wait until the new release serves."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from http.client import HTTPException
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple

from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.limits import Limits
from tools.deployment.release import names

MOST = 4 * 1024 * 1024  # bytes of a page
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STEADY = 5  # answers in a row: a router picks any process, and old ones may still be among them
# The states in which /readyz says that the code does not fit its database. Waiting longer does not change that; a
# process may know a state that is some seconds old, but of a database that was migrated before it began.
NEVER = ("behind", "ahead_contract", "unknown")


class Answer(NamedTuple):
    status: int
    location: str  # where a redirect leads: a path of this site, or the URL of another one; else empty
    text: str


class Unreachable(Exception):
    """No answer came; the message is the reason."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class Site:
    """Browse a site: it keeps cookies, and follows no redirects.

    Args:
        url: scheme, host and port.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        self.url = url
        self.host = urllib.parse.urlsplit(url).hostname or ""
        self._limits = limits
        is_loopback = self.host in LOOPBACK
        # As behind a router that ends TLS. Browsers send secure cookies to the loopback interface, too.
        self._headers = {"Referer": url.replace("http:", "https:") + "/", "Accept-Language": "en"}
        if is_loopback:
            self._headers["X-Forwarded-Proto"] = "https"
        policy = DefaultCookiePolicy(secure_protocols=("https", "http") if is_loopback else ("https",))
        self._opener = urllib.request.build_opener(
            _NoRedirect,
            urllib.request.HTTPCookieProcessor(CookieJar(policy)),
            *([urllib.request.ProxyHandler({})] if is_loopback else []),
        )

    def get(self, path: str) -> Answer:
        return self._send(path, None)

    def post(self, path: str, **fields: str) -> Answer:
        return self._send(path, urllib.parse.urlencode(fields).encode())

    def _send(self, path: str, body: bytes | None) -> Answer:
        """Send a request. Raises: Unreachable."""
        request = urllib.request.Request(self.url + path, body, self._headers)
        try:
            with self._opener.open(request, timeout=self._limits.request) as answer:
                return self._read(answer.status, answer.headers, answer)
        except urllib.error.HTTPError as answer:  # 302 too, which is not followed
            with answer:
                return self._read(answer.code, answer.headers, answer)
        except urllib.error.URLError as error:
            raise Unreachable(str(error.reason)) from None
        except (OSError, HTTPException) as error:
            raise Unreachable(str(error) or type(error).__name__) from None

    def _read(self, status: int, headers: Message, body: Any) -> Answer:
        deadline, text = time.monotonic() + self._limits.request, b""
        try:
            while len(text) < MOST and (piece := body.read1(MOST)):
                text += piece
                if time.monotonic() > deadline:
                    raise TimeoutError
        except TimeoutError:  # of all of the answer, or of the wait for a piece of it
            raise Unreachable(f"its answer took longer than {self._limits.request:g} s") from None
        except (OSError, HTTPException) as error:
            raise Unreachable(f"its answer broke off: {error}") from None
        return Answer(status, self._place(headers.get("Location", "")), text.decode(errors="replace"))

    def _place(self, location: str) -> str:
        """Return a path of this site, also where the header names its host; of another site the whole URL."""
        target = urllib.parse.urlsplit(location)
        return location if target.netloc and target.hostname != self.host else target.path


def wait_until_it_serves(site: Site, commit: str, limits: Limits, journal: Journal) -> None:
    """Wait until /readyz is 200 and says this commit, several times in a row.

    Raises:
        DeployError: the commit serves and does not fit its database; or it does not serve within `limits.site` seconds.
    """
    journal.say(f"Waiting until {site.url}/readyz is 200 and says {commit[:12]} …")
    deadline = time.monotonic() + limits.site
    ready, refused = 0, 0
    while ready < STEADY:
        status, state, serving = _look(site)
        is_ours = names(serving, commit)
        ready = ready + 1 if is_ours and status == 200 else 0
        refused = refused + 1 if is_ours and state in NEVER else 0
        if refused == STEADY:
            raise DeployError(
                f"The new code serves, and {site.url}/readyz says {state}: it does not fit its database. See"
                " docs/operations.md, and go back: bin/rollback"
            )
        if time.monotonic() > deadline:
            raise DeployError(
                f"{site.url} does not serve {commit[:12]} after {limits.site:g} s: {_told(status, state, serving)}"
            )
        if ready < STEADY:
            time.sleep(limits.poll / STEADY)
    journal.say(f"{site.url} serves {commit[:12]}.")


def require_serving(site: Site, commit: str) -> None:
    """Refuse to go on. Raises: DeployError: another commit serves by now, or nothing."""
    status, state, serving = _look(site)
    if status != 200 or not names(serving, commit):
        raise DeployError(
            f"{site.url} served {commit[:12]} and does not any more: {_told(status, state, serving)} Has somebody else"
            " deployed? The same command looks again."
        )


def _look(site: Site) -> tuple[int, str, str | None]:
    """Return the status of /readyz, its state or why there is none, and the commit that it says."""
    try:
        answer = site.get("/readyz")
    except Unreachable as error:
        return 0, str(error), None
    try:
        document = json.loads(answer.text)
        commit = document.get("commit")
        return answer.status, str(document["state"]), None if commit is None else str(commit)
    except (ValueError, TypeError, KeyError, AttributeError):
        return answer.status, "no state", None


def _told(status: int, state: str, serving: str | None) -> str:
    if status == 0:
        return f"it does not answer ({state})."
    if serving:
        return f"/readyz is {status} ({state}) and says {serving}."
    if status == 200 and state != "no state":
        return (
            f"/readyz is {status} and says no commit. On Heroku: heroku labs:enable runtime-dyno-metadata (on Fir"
            " runtime-dyno-build-metadata), and deploy again; elsewhere docs/configuration.md names the variable."
        )
    return f"/readyz is {status} ({state}). Look at the log of the web."
