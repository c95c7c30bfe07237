"""Pages behind a secret link (capability URL): no search engine lists one, and no log has its address.

A new page with a secret in its path is held to this by the name of the variable: `token` or `public_id`.
"""

import uuid
from collections.abc import Iterator
from itertools import product

from flask import Flask

from app.accounts.models import User
from app.notes import service
from app.notes.sharing import share_note
from app.web.access import is_public
from app.web.headers import SECRETS
from tests.visitor import Visitor
from tests.web.test_logs import line
from tests.wordcounts import results

TOKEN = "Zx-9_" + "a" * 17
DRAWN = {"token": TOKEN, "public_id": uuid.UUID(int=2**127 + 1)}
NO_SECRETS = {"note_id", "todo_id", "session_id", "passkey_id", "token_id", "moment"}  # a session is asked for


def paths(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Yield (method, secret, path) of every rule with a secret in it."""
    for rule in app.url_map.iter_rules():
        for name in rule.arguments & SECRETS:
            values = {name: DRAWN[name] for name in rule.arguments}
            method = "GET" if "GET" in (rule.methods or ()) else min({*(rule.methods or ())} - {"OPTIONS"})
            yield method, str(DRAWN[name]), app.url_map.bind("localhost").build(rule.endpoint, values, method)


def test_every_variable_of_a_path_is_known_to_be_a_secret_or_not(app: Flask) -> None:
    rules = list(app.url_map.iter_rules())
    assert {name for rule in rules for name in rule.arguments} == SECRETS | NO_SECRETS
    with app.app_context():
        assert not [rule for rule in rules if is_public(rule.endpoint) and rule.arguments & NO_SECRETS]


def test_no_search_engine_lists_one_whatever_it_answers_and_other_pages_say_nothing(
    app: Flask, client: Visitor, alice: User
) -> None:
    shared = f"/s/{share_note(alice.id, service.create_note(alice.id, 'n', ''))}"
    counted = f"/wordcounts/{results.shared(alice)}"
    asked = [(method, path) for method, _, path in paths(app)]
    assert len(asked) >= 10
    for method, path in (*asked, *(("GET", path) for path in (shared, counted, f"{counted}.csv", f"{counted}.json"))):
        assert client.open(path, method=method).headers.getlist("X-Robots-Tag") == ["noindex, nofollow"], path
    for path in ("/", "/notes", "/nothing", "/s"):
        assert "X-Robots-Tag" not in client.get(path).headers, path


def test_no_log_has_the_secret_but_what_only_looks_like_one(app: Flask) -> None:
    """The paths of files in a traceback, above all."""
    for logger, (method, secret, path) in product(("gunicorn.access", "gunicorn.error", "app"), paths(app)):
        logged = line(f"{method} {path} 200 /sign-in?next={path}", name=logger)
        assert (secret in logged, logged.count("(not logged)")) == (False, 2), path
    for path in ("app/wordcounts/service.py", "/s/app.py", "/wordcounts/new", "/sign-up"):
        assert path in line(f"File {path}")
