"""Semicircle: a notebook for Korean and English readers."""

import os

from flask import Flask

from app import storage, web
from app.accounts import session as account_session
from app.accounts import tasks as account_tasks
from app.accounts.views import bp as accounts
from app.extensions import csrf, db, login, migrate
from app.mypage import tasks as mypage_tasks
from app.mypage.portability.views import bp as portability
from app.mypage.views import bp as mypage
from app.notes import portable as portable_notes
from app.notes import tasks as note_tasks
from app.notes.views import bp as notes
from app.portable import Portable
from app.preferences.views import bp as preferences
from app.release.commands import release
from app.todos import portable as portable_todos
from app.todos import tasks as todo_tasks
from app.todos.views import bp as todos
from app.web.health import bp as health
from app.web.manifest import bp as manifest
from app.wordcounts import portable as portable_wordcounts
from app.wordcounts import tasks as wordcount_tasks
from app.wordcounts.commands import count
from app.wordcounts.views import bp as wordcounts
from app.worker import worker
from config import Config, from_environment

# A job is known to the queue once its module is imported.
TASKS = (account_tasks, mypage_tasks, note_tasks, todo_tasks, wordcount_tasks)
# What my page exports and brings back, in the order of the file.
PORTABLES: tuple[Portable, ...] = (portable_notes, portable_todos, portable_wordcounts)


def create_app(config: Config | None = None) -> Flask:
    """The application.

    Args:
        config: settings of a test; without them the environment's `APP_SETTINGS` names the class.

    Raises:
        ConfigError: a variable of the environment is missing or unusable.
    """
    app = Flask(__name__, static_folder=None)  # WhiteNoise serves the static files, see app/web/static.py
    app.config.from_object(config or from_environment(os.environ))
    web.init_app(app)
    init_extensions(app)
    for feature in (accounts, notes, todos, wordcounts, mypage, portability, preferences, health, manifest):
        app.register_blueprint(feature)
    init_commands(app)
    return app


def init_extensions(app: Flask) -> None:
    db.init_app(app)
    migrate.init_app(app, db, render_as_batch=False)
    csrf.init_app(app)
    login.init_app(app)
    storage.init_app(app)
    account_session.init_app(app)
    app.extensions["portables"] = PORTABLES


def init_commands(app: Flask) -> None:
    app.cli.add_command(release)
    app.cli.add_command(worker)
    app.cli.add_command(count)
    if app.config["DEBUG"]:  # its embedded servers come from the development requirements
        from app.dev.commands import dev

        app.cli.add_command(dev)
