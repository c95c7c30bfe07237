"""Decide if a follower may serve, and which views: the rules without a server."""

import threading
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import create_engine, literal, select, text

from app.accounts import service as accounts
from app.extensions import db
from app.follower import follower as follower_module
from app.follower import writes
from app.follower.follower import MOST_LAG, Follower, Lag, Server, obstacle
from app.follower.writes import FOLLOWER
from app.web.marks import mark_of
from tests.conftest import PASSWORD, browser_of
from tests.database import watching
from tests.databases import Environment, migrated_database
from tests.samples import TAKEN_OUT
from tests.visitor import Visitor
from tests.waiting import wait_until
from tests.web.database_faults import new_site

PRIMARY = Server(in_recovery=False, cluster=1, revisions=["0045"], position=500, complete_before=90)
REPLICA = PRIMARY._replace(in_recovery=True)
OWN_ROWS_ONLY = {
    *("notes.index", "notes.show", "notes.edit", "notes.tags", "notes.trash", "notes.archived"),
    *("notes.history", "notes.show_version", "notes.list_shared", "todos.index", "wordcounts.index", "mypage.index"),
}


def test_only_a_replica_of_this_schema_that_keeps_up_serves() -> None:
    serves: dict[str, Any] = {"primary": PRIMARY, "follower": REPLICA, "migrates": False, "lag": 0}
    assert [obstacle(**serves | {"lag": lag}) for lag in (0, MOST_LAG)] == ["", ""]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"follower": REPLICA._replace(in_recovery=False)}, "it was promoted"),
        ({"follower": REPLICA._replace(cluster=2)}, "follows another server"),
        ({"follower": REPLICA._replace(revisions=["0044"])}, "another schema"),
        ({"follower": REPLICA._replace(revisions=None)}, "another schema"),
        ({"primary": PRIMARY._replace(in_recovery=True)}, "the primary is in recovery"),
        ({"migrates": True}, "a release migrates"),
        ({"lag": MOST_LAG + 0.1}, "lags by more than 30 s"),
        ({"lag": float("inf")}, "lags by more than 30 s"),
        ({"lag": None}, "not known yet"),
    ]
    assert [said for found, said in cases if said not in obstacle(**serves | found)] == []


def test_lag_is_how_long_ago_the_primary_was_where_the_follower_is() -> None:
    lag = Lag()
    assert lag.of(10**18, now=0) is None  # nobody has looked yet
    for at in range(10):
        lag.note(at, position=100 * at)
    assert lag.of(900, now=9.5) == 0.5
    assert lag.of(450, now=9.5) == 5.5  # at least where the primary was at 4
    lag.note(10 + MOST_LAG, position=2000)
    assert lag.of(900, now=10 + MOST_LAG) == MOST_LAG + 1
    assert lag.of(800, now=10 + MOST_LAG) == float("inf")  # what is older is forgotten


def test_a_process_that_has_just_begun_to_look_does_not_know_the_lag() -> None:
    lag = Lag()
    lag.note(0, position=100)
    assert lag.of(99, now=MOST_LAG) is None
    assert lag.of(99, now=MOST_LAG + 1) == float("inf")


def test_on_an_idle_primary_the_lag_does_not_grow() -> None:
    lag = Lag()
    for at in range(0, 600, 60):
        lag.note(at, position=100)
    assert lag.of(100, now=540) == 0


def test_only_views_of_ones_own_rows_come_from_a_follower(migrated_app: Flask) -> None:
    """Nothing that decides who somebody is, what they may do, or what somebody else may take back."""
    marked = {name for name, view in migrated_app.view_functions.items() if hasattr(view, "is_from_follower")}
    assert marked == {name for name in OWN_ROWS_ONLY if name.split(".")[0] not in TAKEN_OUT}
    with migrated_app.app_context():
        assert not [name for name in marked if mark_of(name, "is_public")]
    rules = [rule for rule in migrated_app.url_map.iter_rules() if rule.endpoint in marked]
    assert not [rule for rule in rules if "POST" in (rule.methods or ())]


def test_without_the_variable_nothing_is_there(migrated_app: Flask) -> None:
    assert FOLLOWER not in migrated_app.extensions
    hooks = [hook for hooks in migrated_app.before_request_funcs.values() for hook in hooks]
    assert not [hook for hook in hooks if hook.__module__.startswith("app.follower")]


def test_while_its_pool_is_full_the_primary_answers(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    follower = Follower(create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0))
    with follower.engine.connect(), app.test_request_context():
        g.read_elsewhere = follower.read
        assert follower.read(select(literal(7)), {}) == [(7,)]
        assert (g.get("read_elsewhere"), g.get("follower_connection")) == (None, None)
        follower.look()
    assert [message.partition(": ")[0] for message in caplog.messages] == [
        "the follower failed, and the primary answers",
        *["the follower is left out"] * 2,  # by the reader, and by the look
    ]


def test_who_has_written_since_the_look_is_served_by_the_primary_and_so_is_whom_the_follower_fails(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Read-your-writes, with a primary that passes for its own follower: what it shows is not the point here."""
    monkeypatch.setattr(follower_module, "obstacle", lambda *_, **__: "")
    monkeypatch.setattr(follower_module, "TRUSTED_FOR", 3600.0)
    asked: list[str] = []
    with migrated_database(server_environment) as environment, ExitStack() as stack:
        site = new_site({**environment, "FOLLOWER_DATABASE_URL": environment["DATABASE_URL"]})
        follower = site.app.extensions[FOLLOWER]
        stack.enter_context(watching(lambda _, statement, __: asked.append(statement), follower.engine))
        with site.app.app_context():
            browser = browser_of(site.app, site.alice)
            another = browser_of(site.app, accounts.sign_up("bob@example.com", "bob", PASSWORD))

        def serves(look_every: float = 0.0, browser: Visitor = browser) -> bool:
            """Read, and look beside. A transaction in any database of the server may hold back what is complete."""
            monkeypatch.setattr(follower_module, "LOOK_EVERY", look_every)
            asked.clear()
            assert browser.get("/notes").status_code == 200
            return any("FROM notes" in statement for statement in asked)

        def no_look_runs() -> bool:
            return "follower" not in {thread.name for thread in threading.enumerate()}

        wait_until(serves, "the follower serves")
        wait_until(no_look_runs, "the last look is over")
        assert browser.submit("/notes", title="written", content="").status_code == 302
        assert not serves(look_every=3600.0)
        assert serves(3600.0, another)
        wait_until(serves, "the follower serves after another look")
        wait_until(no_look_runs, "that look is over too")
        for end, is_written in (("rollback", False), ("commit", True)):  # as a job, which is in no request
            with site.app.app_context():
                writes.mark(site.alice.id)
                getattr(db.session, end)()
            assert serves(look_every=3600.0) is not is_written, end

        def die(cursor: Any, *_told: object) -> None:
            site.on_the_server(f"SELECT pg_terminate_backend({cursor.connection.info.backend_pid}, 5000)")

        with watching(die, follower.engine):
            assert serves(3600.0, another)  # it is asked, and the primary answers
            assert not serves(3600.0, another), "it is left out until the next look"
        wait_until(serves, "the follower serves after a look that finds it")
        wait_until(no_look_runs, "the look after that is over")
        said = [record.getMessage().split(":")[0] for record in caplog.records if "follower" in record.name]
        assert said == ["the follower failed, and the primary answers", "the follower is left out"]


def test_a_new_note_and_the_mark_that_it_was_written_are_one_transaction(server_environment: Environment) -> None:
    """Else a process that dies between them leaves a note that its owner may not see."""
    with migrated_database(server_environment) as environment:
        site = new_site({**environment, "FOLLOWER_DATABASE_URL": environment["DATABASE_URL"]})
        browser, _ = site.browser()
        assert browser.submit("/notes", title="a new one", content="").status_code == 302
        of_note = "SELECT xmin::text::bigint FROM notes WHERE title = 'a new one'"
        with site.app.app_context():
            [mark] = db.session.scalars(text("SELECT transaction_id FROM account_writes"))
            assert db.session.scalar(text(of_note)) == mark
