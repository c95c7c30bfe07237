"""Show the log lines of a release once, and as the project wants them."""

import logging

import pytest

from app.release import progress

OURS = logging.getLogger(progress.LIBRARY)
ALEMBIC = logging.getLogger("alembic")


def shown_as_python_begins(monkeypatch: pytest.MonkeyPatch, *handlers: logging.Handler) -> None:
    """Show them where nobody has set up logging, or just with these handlers. Alembic has one that prints nothing.

    Not a fixture: pytest adds its own handlers when the test begins.
    """
    monkeypatch.setattr(logging.getLogger(), "handlers", [*handlers])
    for logger in (OURS, ALEMBIC):
        for name in ("handlers", "propagate", "level"):
            monkeypatch.setattr(logger, name, getattr(logger, name))
    monkeypatch.setattr(OURS, "handlers", [])
    monkeypatch.setattr(ALEMBIC, "handlers", [logging.NullHandler()])
    progress.show_log()


def test_without_a_set_up_they_go_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown_as_python_begins(monkeypatch)
    logging.getLogger(f"{progress.LIBRARY}.runner").info("the database is at 0001")
    logging.getLogger("alembic.runtime").info("Running upgrade")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "INFO [app.release.runner] the database is at 0001",
        "INFO [alembic.runtime] Running upgrade",
    ]


def test_neither_a_second_run_nor_the_handler_that_flask_adds_prints_them_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of_the_application = logging.getLogger("app")
    handler = logging.StreamHandler()
    of_the_application.addHandler(handler)
    shown_as_python_begins(monkeypatch)
    progress.show_log()
    OURS.info("once")
    of_the_application.removeHandler(handler)
    assert capsys.readouterr().err.count("once") == 1


def test_a_project_that_has_set_up_its_log_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown_as_python_begins(monkeypatch, logging.NullHandler())
    OURS.info("not wanted")
    assert capsys.readouterr().err == ""
    assert OURS.handlers == []
