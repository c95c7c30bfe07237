"""Semicircle: a notebook for Korean and English readers."""

import os

from flask import Flask
from procrastinate.schema import SchemaManager

from app import (
    api,
    connections,
    error_reports,
    flask_db,
    release,
    sql_timing,
    storage,
    tracing,
    transaction_settings,
    web,
)
from app import figures as figure_tasks
from app.accounts import browser_session
from app.accounts import tasks as account_tasks
from app.accounts.commands import mail_commands
from app.accounts.mailed_links import bp as mailed_links
from app.accounts.recent_sign_in import bp as recent_sign_in
from app.accounts.views import bp as accounts
from app.accounts.views import token_bp as access_tokens
from app.backups.commands import restore, restore_drill
from app.demo.commands import seed
from app.extensions import csrf, db, login, migrate
from app.follower import follower
from app.follower import writes as follower_writes
from app.jobs import queue
from app.jobs import tasks as job_tasks
from app.jobs.commands import jobs_commands
from app.jobs.worker import worker
from app.mail import message
from app.mypage.views import bp as mypage
from app.mypage.views import preferences
from app.notes import figures as note_figures
from app.notes import tasks as note_tasks
from app.notes.note_views import links as shared_notes
from app.notes.portable import NOTES
from app.notes.views import bp as notes
from app.passkeys.views import bp as passkeys
from app.passkeys.views import confirm as confirm_by_passkey
from app.passkeys.views import sign_in_bp as passkey_sign_in
from app.photos import tasks as photo_tasks
from app.photos.tasks import check_bucket
from app.portability.contract import PortableTable
from app.portability.views import bp as portability
from app.todos import figures as todo_figures
from app.todos import tasks as todo_tasks
from app.todos.portable import TODOS
from app.todos.views import bp as todos
from app.web import autocommit, form_tokens, installation, logs, throttling
from app.web.health import bp as health
from app.wordcounts import figures as wordcount_figures
from app.wordcounts import tasks as wordcount_tasks
from app.wordcounts.commands import count
from app.wordcounts.portable import WORDCOUNTS
from app.wordcounts.views import bp as wordcounts
from config import Config, for_migrations, from_environment
from environment.values import ConfigError

# Importing such a module registers its jobs with the queue.
TASKS = (
    job_tasks,
    account_tasks,
    figure_tasks,
    follower_writes,
    note_tasks,
    photo_tasks,
    todo_tasks,
    wordcount_tasks,
)
# The parts of an export, in the order of its file.
PORTABLES: tuple[PortableTable, ...] = (NOTES, TODOS, WORDCOUNTS)
# The figures of my page.
FIGURES = {**note_figures.FIGURES, **todo_figures.FIGURES, **wordcount_figures.FIGURES}


def create_app(config: Config | None = None) -> Flask:
    """Create the application by the environment, or by the settings of a test. Raises: ConfigError."""
    try:
        config = config or from_environment(os.environ)
    except ConfigError as error:
        if not flask_db.may_be_asked_for():
            raise
        return migrations_alone(error)
    app = web.Application(__name__, static_folder=None)  # WhiteNoise serves the static files, see app/web/static.py
    app.config.from_object(config)
    if config.ONLY_MIGRATES:
        logs.init_app(app)
        init_database(app)
        return app
    error_reports.init_app(app)
    web.init_app(app)
    init_extensions(app)
    for feature in (
        accounts,
        mailed_links,
        recent_sign_in,
        passkeys,
        passkey_sign_in,
        notes,
        shared_notes,
        todos,
        wordcounts,
        mypage,
        portability,
        access_tokens,
        preferences,
        health,
        installation.manifest,
        installation.offline,
        api.bp,
    ):
        app.register_blueprint(feature)
    init_commands(app)
    return app


def migrations_alone(lacks: ConfigError) -> Flask:
    """Create the application of `flask db` where the environment lacks something; its other commands say what."""
    try:
        app = create_app(for_migrations(os.environ))
        app.cli = flask_db.OnlyDb(lacks, app.cli.commands["db"])
    except ConfigError as error:
        app = Flask(__name__)
        app.cli = flask_db.OnlyDb(lacks, error)
    return app


def init_database(app: Flask) -> None:
    db.init_app(app)
    autocommit.init_app(app)  # after db, as what follows
    transaction_settings.init_app(app)
    transaction_settings.add_source(app, tracing.session_settings)
    sql_timing.init_app(app)
    migrate.init_app(app, db, render_as_batch=False)
    release.init_app(app, release_options(app))


def init_extensions(app: Flask) -> None:
    init_database(app)
    csrf.init_app(app)
    form_tokens.init_app(app)  # after csrf
    login.init_app(app, add_context_processor=False)  # app/accounts/browser_session.py has its own
    storage.init_app(app)
    message.init_app(app)
    browser_session.init_app(app)
    throttling.init_app(app)  # after csrf
    follower.init_app(app)
    app.extensions["confirm_by_passkey"] = confirm_by_passkey
    app.extensions["portables"] = PORTABLES
    app.extensions["figures"] = FIGURES


def release_options(app: Flask) -> release.Options:
    return release.Options(
        metadata=db.metadata,
        url=app.config["MIGRATION_DATABASE_URI"],
        name="semicircle",
        url_variable="MIGRATION_DATABASE_URL",
        unreachable_advice="In development, `make dev` in another terminal starts a database.",
        unmapped_prefixes=("procrastinate_",),
        unmapped_sql=SchemaManager.get_schema,
        waiting_jobs=queue.waiting,
        failed_jobs=queue.failed_jobs,
        defer_backfill=job_tasks.defer_batch,
        processes=connections.of_processes(app.config),
    )


def init_commands(app: Flask) -> None:
    for command in (worker, count, mail_commands, jobs_commands, seed, restore, restore_drill, check_bucket):
        app.cli.add_command(command)
