"""Every page of the site: its name, its request and its status.

A new page is one line here. Its tests, its HTML check and its screenshots follow from that. A page stands here if it
runs a line of a template that no other one does, or if what it shows is hard to lay out. The pages of a feature that
has no line here are those of its URLs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app import FEATURES
from app.web import RowIdConverter
from tests.samples import Samples, samples

FULL = "full"  # an account with more of everything than a page holds, and with texts that are hard to show
EMPTY = "empty"  # a new account
REFUSED = "refused"  # one whose mail comes back
KEYS = "keys"  # an account with a passkey, whose second step is turned on again and again
PASSWORD = "a long enough sentence"  # of all
UNFORESEEN = "/unforeseen"  # No running service fails on purpose: this page is rendered in the process of the tests.


@dataclass(frozen=True)
class Page:
    """
    Args:
        name: unique; also the file name of its screenshots.
        path: `{…}` is the id of something that seed.py made.
        who: the account that asks; None is signed out.
        status: the expected status.
        form: posted to the path, with a CSRF token unless it has one. Without a form the page is a GET.
    """

    name: str
    path: str
    who: str | None = None
    status: int = 200
    form: Mapping[str, str] | None = None


ACCOUNTS = (
    Page("landing", "/"),
    Page("sign-up", "/sign-up"),
    Page("sign-up-link-sent", "/sign-up", form={"email": "newcomer@example.com"}),
    Page("new-account", "/sign-up/{sign_up_token}"),
    Page("new-account-refused", "/sign-up/{sign_up_token}", status=422, form={"nickname": " ", "password": "short"}),
    Page("account-exists", "/sign-up/{used_token}", status=410),
    Page("sign-in", "/sign-in?next=/todos"),
    Page("forgot-password", "/forgot-password"),
    Page("link-sent", "/forgot-password", form={"email": "nobody@example.com"}),
    Page("link-expired", "/new-password/0", status=410),
    Page("new-password", "/new-password/{reset_token}"),
    Page("confirm-email", "/confirm-email/{confirm_token}"),
    Page("change-email", "/new-email/{change_token}"),
    Page("sign-in-refused", "/sign-in", status=422, form={"email": "nobody@example.com", "password": PASSWORD}),
)
NOTES = (
    Page("notes", "/notes", FULL),
    Page("notes-older", "/notes?before={before}", FULL),
    Page("notes-empty", "/notes", EMPTY),
    Page("notes-corrected", "/notes?q=%ED%9A%8C%EC%9C%BC", FULL),
    Page("notes-tagged", "/notes?tag=%EB%8B%AC", FULL),
    Page("notes-no-tag", "/notes?tag=nowhere", EMPTY),
    Page("notes-of-an-empty-day", "/notes?day=2020-02-29", FULL),
    Page("tags", "/notes/tags", FULL),
    Page("notes-select-all", "/notes?q=%EB%B0%98&all=1", FULL),
    Page("notes-select-refused", "/notes/select", FULL, 422, {"note": "1", "action": "tag", "tag": "a b"}),
    Page("note", "/notes/{hard_note}", FULL),
    Page("note-in-markdown", "/notes/{markdown}", FULL),
    Page("note-edit", "/notes/{hard_note}/edit", FULL),
    Page(
        "note-preview",
        "/notes/preview",
        FULL,
        form={"title": "반달", "content": "# 달\n\n- [ ] **half**\n\n|a|b|\n|-|-|"},
    ),
    Page("note-conflict", "/notes/{note}", FULL, 409, {"title": "내 것", "content": "반" * 1000, "version": "1"}),
    Page("note-conflict-trash", "/notes/{deleted}", FULL, 409, {"title": "내 것", "content": "반", "version": "1"}),
    Page("note-history", "/notes/{hard_note}/history", FULL),
    Page("note-history-none", "/notes/{markdown}/history", FULL),
    Page("note-version", "/notes/{hard_note}/history/2", FULL),
    Page("note-version-same", "/notes/{hard_note}/history/1", FULL),
    Page("note-archived", "/notes/{archived}", FULL),
    Page("archive", "/notes/archive", FULL),
    Page("archive-empty", "/notes/archive", EMPTY),
    Page("shared-note", "/s/{link}"),
    Page("shared-note-hard-to-show", "/s/{hard_link}", FULL),
    Page("shared-note-ended", "/s/0000000000000000000000", status=404),
    Page("shared-notes", "/notes/shared", FULL),
    Page("shared-notes-none", "/notes/shared", EMPTY),
    Page("note-deleted", "/notes/{deleted}", FULL),
    Page("trash", "/notes/trash", FULL),
    Page("trash-empty", "/notes/trash", EMPTY),
)
TODOS = (
    Page("todos", "/todos", FULL),
    Page("todos-today", "/todos?show=today", FULL),
    Page("todos-found", "/todos?q=%EC%B1%85", FULL),
    Page("todos-not-found", "/todos?q=nowhere", FULL),
    Page("todo-editor", "/todos?edit={todo}", FULL),
    Page("todo", "/todos/{todo}", FULL),
    Page("todos-empty", "/todos", EMPTY),
    Page("todos-done-empty", "/todos?show=done", EMPTY),
    Page("todo-refused", "/todos/{todo}", FULL, 422, {"description": "x" * 501}),
)
MY_PAGE = (
    Page("my-page", "/mypage", FULL),
    Page("my-page-mail-comes-back", "/mypage", REFUSED),
    Page("my-page-edit", "/mypage/edit", FULL),
    Page("devices", "/mypage/devices", FULL),
    Page("access-tokens", "/mypage/tokens", FULL),
    Page("access-tokens-refused", "/mypage/tokens", EMPTY, 422, {"name": "x" * 81}),
    Page("access-token-made", "/mypage/tokens", FULL, form={"name": "백업 backup", "scopes": "read", "expiry": "30"}),
    Page("api", "/api/v1/docs"),
    Page("account-history", "/mypage/events", FULL),
    Page("confirm-sign-in", "/sign-in/confirm?next=/mypage/passkeys", FULL),
    Page("passkeys", "/mypage/passkeys", FULL),
    Page("passkeys-none", "/mypage/passkeys", EMPTY),
    Page("passkey", "/mypage/passkeys/{passkey}", FULL),
    Page("recovery-codes", "/mypage/passkeys/second-step", KEYS, form={}),
    Page("import", "/mypage/import", FULL),
    Page("my-page-edit-refused", "/mypage/nickname", EMPTY, 422, {"nickname": "a\u0430"}),
)
ERRORS = (
    Page("error-404", "/nothing/here", FULL, 404),
    Page("error-500", UNFORESEEN, status=500),
    Page("offline", "/offline"),
)


def of_new_features(known: Sequence[Page]) -> Iterator[Page]:
    """Yield the pages of each feature that has none among the known ones, those of its lists also without a row."""
    app = Flask(__name__, static_folder=None)
    app.url_map.converters["id"] = RowIdConverter
    blueprints = {blueprint.name: feature for feature in FEATURES for blueprint in feature.blueprints}
    for feature in FEATURES:
        for blueprint in feature.blueprints:
            app.register_blueprint(blueprint)
    urls, visited = app.url_map.bind("localhost"), []
    for page in known:
        path = re.sub(r"{\w+}", "1", page.path.partition("?")[0])
        with suppress(HTTPException, RequestRedirect):
            endpoint, _ = urls.match(path, "GET" if page.form is None else "POST")
            visited.append(blueprints[endpoint.partition(".")[0]])
    for rule in app.url_map.iter_rules():
        if blueprints[rule.endpoint.partition(".")[0]] in visited or "GET" not in (rule.methods or ()):
            continue
        name, path = rule.endpoint.replace(".", "-"), re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule)
        yield Page(name, path, FULL)
        if not rule.arguments:
            yield Page(f"{name}-empty", path, EMPTY)


def of_samples(each: Samples) -> Iterator[Page]:
    """Yield the pages of a feature, a refused form, and a row as anybody sees it."""
    name = each.path.strip("/")
    for path in each.pages:
        if not path.endswith((".csv", ".json")):
            yield Page(re.sub(r"\W+", "-", path).strip("-"), path, FULL)
    yield Page(f"{name}-refused", each.path, EMPTY, 422, dict.fromkeys(each.fields, ""))
    yield Page(f"{name}-shared", each.pages[0])


OF_FEATURES = tuple(page for each in samples() for page in of_samples(each))
KNOWN = (*ACCOUNTS, *NOTES, *TODOS, *OF_FEATURES, *MY_PAGE, *ERRORS)
PAGES = (*KNOWN, *of_new_features(KNOWN))

LANGUAGES = ("ko", "en")
