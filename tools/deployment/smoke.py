"""Take the smoke journey over HTTP, as a person would: does the release do what the site is for?"""

import netrc
import re
import secrets
from contextlib import suppress
from html import unescape
from pathlib import Path

from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal
from tools.deployment.site import Answer, Site, Unreachable

TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
STYLESHEET = re.compile(r'<link rel="stylesheet" href="(/[^"]+)"')
NOTE = re.compile(r"/notes/(\d+)")


def read(site: Site, journal: Journal) -> None:
    """Read what a visitor sees without an account. Changes nothing.

    Raises:
        DeployError: a page is not what it should be.
    """
    page = _page(site, "/sign-in", "csrf_token")
    stylesheet = STYLESHEET.search(page)
    if stylesheet is None:
        raise _broken("GET /sign-in", "the page has no stylesheet")
    _page(site, unescape(stylesheet[1]), "{")
    _page(site, "/sign-up", "csrf_token")
    _redirect("GET /notes, signed out", _get(site, "/notes"), "/sign-in")
    journal.say("Smoke journey: sign-in, sign-up and a stylesheet are there, and notes are closed to strangers.")


def write(site: Site, journal: Journal) -> None:
    """Write a note and read it, with an account that is made for that and deleted.

    Where a link in a mail opens an account, nobody here can read it. Then the account of ~/.netrc signs in.

    Raises:
        DeployError: a page is not what it should be.
    """
    if 'name="nickname"' in _page(site, "/sign-up", "csrf_token"):
        _with_new_account(site)
        journal.say("Smoke journey: an account was made, wrote a note, read it, and was deleted.")
    else:
        _with_known_account(site)
        journal.say("Smoke journey: the account of ~/.netrc signed in, wrote a note, read it, and deleted it.")


def _with_new_account(site: Site) -> None:
    name, password = f"smoke-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    made = _post(site, "/sign-up", email=f"{name}@example.com", nickname=name, password=password)
    _redirect("POST /sign-up", made, "/notes")
    try:
        _write_and_read(site)
    except BaseException:
        with suppress(DeployError):  # the first failure is the one to tell
            _post(site, "/mypage/delete", password=password)
        raise
    _redirect("POST /mypage/delete", _post(site, "/mypage/delete", password=password), "/")
    _redirect("GET /notes of the deleted account", _get(site, "/notes"), "/sign-in")


def _with_known_account(site: Site) -> None:
    email, password = _credentials(site.host)
    _redirect("POST /sign-in", _post(site, "/sign-in", email=email, password=password), "/notes")
    note = _write_and_read(site)
    _redirect(f"POST /notes/{note}/delete", _post(site, f"/notes/{note}/delete"), "/notes")
    _redirect("POST /sign-out", _post(site, "/sign-out"), "/")


def _write_and_read(site: Site) -> str:
    """Return the id of the note."""
    word = f"smoke{secrets.token_hex(8)}"
    _redirect("POST /notes", _post(site, "/notes", title=word, content="반만 적어 두세요"), "/notes")
    found = NOTE.search(_page(site, f"/notes?q={word}", word).partition('<main id="main"')[2])
    if found is None:
        raise _broken(f"GET /notes?q={word}", "the note is not in the list")
    if "반만 적어 두세요" not in _page(site, f"/notes/{found[1]}", word):
        raise _broken(f"GET /notes/{found[1]}", "the note does not hold what was written")
    return found[1]


def _credentials(host: str) -> tuple[str, str]:
    wanted = f"machine {host} login EMAIL password PASSWORD"
    try:
        entry = netrc.netrc(Path.home() / ".netrc").hosts.get(host)
    except FileNotFoundError:
        entry = None
    except (netrc.NetrcParseError, OSError) as error:
        raise DeployError(f"~/.netrc cannot be read: {error}") from None
    if entry is None:
        raise DeployError(
            f"The release is live, but the smoke journey could not write: {host} opens accounts by mail. Make it"
            f" an account there, and add a line to ~/.netrc: {wanted}"
        )
    login, _, password = entry
    return login, password


def _page(site: Site, path: str, words: str) -> str:
    answer = _get(site, path)
    if answer.status != 200:
        raise _broken(f"GET {path}", f"{answer.status}, not 200")
    if words not in answer.text:
        raise _broken(f"GET {path}", f"the page has no {words}")
    return answer.text


def _redirect(what: str, answer: Answer, path: str) -> None:
    if answer.status != 302 or not answer.location.startswith(path):
        raise _broken(what, f"{answer.status} to {answer.location or 'nowhere'}, not 302 to {path}")


def _get(site: Site, path: str) -> Answer:
    try:
        return site.get(path)
    except Unreachable as error:
        raise _broken(f"GET {path}", str(error)) from None


def _post(site: Site, path: str, **fields: str) -> Answer:
    token = TOKEN.search(_page(site, "/sign-in", "csrf_token"))
    if token is None:
        raise _broken("GET /sign-in", "the form has no token")
    try:
        return site.post(path, csrf_token=unescape(token[1]), **fields)
    except Unreachable as error:
        raise _broken(f"POST {path}", str(error)) from None


def _broken(what: str, why: str) -> DeployError:
    return DeployError(
        f"The smoke journey broke at {what}: {why}. The release is live: look at its log, then mend it and deploy"
        " again, or go back: bin/rollback"
    )
