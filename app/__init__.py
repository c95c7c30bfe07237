"""Semicircle: a notebook for Korean and English readers."""

import os

from flask import Flask

import online_migrations
from app import error_reports, features, flask_db, storage, web
from app.accounts import browser_session
from app.api import document
from app.backups import identity
from app.backups.commands import acknowledge_restore, restore, restore_drill
from app.database import engine
from app.demo.commands import seed
from app.extensions import csrf, db, login
from app.follower import follower
from app.jobs import queue
from app.jobs import tasks as job_tasks
from app.jobs.commands import jobs_commands
from app.jobs.worker import worker
from app.mail import message
from app.web import address_watch, answers, form_tokens, health, logs, static
from config import Config, for_migrations, from_environment
from environment.values import ConfigError

FEATURES = features.load()


def create_app(config: Config | None = None, *, migrates: bool = True) -> Flask:
    """Create the application by the environment, or by the settings of a test. Raises: ConfigError.

    Args:
        migrates: with `flask db`; the web does without, since Alembic takes memory.
    """
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
        init_database(app, migrates=True)
        return app
    error_reports.init_app(app)
    web.init_app(app)
    init_extensions(app, migrates)
    features.init_app(app, FEATURES)
    for blueprint in (health.bp, static.manifest, static.offline, document.bp):
        app.register_blueprint(blueprint)
    for command in (worker, jobs_commands, restore, restore_drill, acknowledge_restore, seed):
        app.cli.add_command(command)
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


def init_database(app: Flask, migrates: bool) -> None:
    db.init_app(app)
    engine.init_app(app)  # after db
    if migrates:
        from flask_migrate import Migrate  # which takes a tenth of an import of the application, with Alembic

        Migrate(app, db, render_as_batch=False)
    online_migrations.init_app(app, release_options(app))


def init_extensions(app: Flask, migrates: bool) -> None:
    init_database(app, migrates)
    csrf.init_app(app)
    form_tokens.init_app(app)  # after csrf
    login.init_app(app, add_context_processor=False)  # app/accounts/browser_session.py has its own
    storage.init_app(app)
    message.init_app(app)
    browser_session.init_app(app)
    answers.init_app(app)  # after csrf
    address_watch.init_app(app)
    follower.init_app(app)


def release_options(app: Flask) -> online_migrations.Options:
    return online_migrations.Options(
        metadata=db.metadata,
        url=app.config["MIGRATION_DATABASE_URI"],
        name="semicircle",
        url_variable="MIGRATION_DATABASE_URL",
        unreachable_advice="In development, `make dev` in another terminal starts a database.",
        unmapped_prefixes=(queue.TABLES,),
        status_lines=queue.status_lines,
        faults=identity.faults,
        defer_backfill=job_tasks.defer_batch,
    )
