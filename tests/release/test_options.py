"""A project tells app.release its models, its URL and its name."""

import pytest
from flask import Flask
from sqlalchemy import MetaData

from app import create_app, release
from app.release import options
from app.release.advisory_lock import lock_key
from app.release.connection import direct_engine, migrating_name
from app.release.errors import ReleaseError
from config import TestingConfig
from tests.databases import Environment

URL = "postgresql://u:p@192.0.2.1/n"


def shop(url: str = URL) -> Flask:
    app = Flask("shop")
    release.init_app(app, release.Options(metadata=MetaData(), url=url, name="shop"))
    return app


def test_our_lock_has_the_key_that_the_releases_before_take() -> None:
    """With another one, a release and the one before it would migrate at once."""
    assert lock_key("semicircle") == 2890267260


def test_our_name_stays_because_the_lock_is_made_of_it(server_environment: Environment) -> None:
    with create_app(TestingConfig(server_environment)).app_context():
        assert options.current().name == "semicircle"


def test_two_projects_in_one_database_do_not_wait_for_each_other() -> None:
    assert lock_key("shop") != lock_key("semicircle")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_whatever_driver_the_project_uses_a_release_uses_psycopg2(scheme: str) -> None:
    with shop(URL.replace("postgresql", scheme)).app_context():
        assert direct_engine().url.drivername == "postgresql+psycopg2"
        assert direct_engine().url.host == "192.0.2.1"


def test_sessions_that_migrate_bear_the_name_of_the_project() -> None:
    with shop().app_context():
        assert migrating_name() == "shop-migrations"


def test_an_application_that_was_not_set_up_is_told_so() -> None:
    with Flask("shop").app_context(), pytest.raises(ReleaseError, match=r"call release\.init_app\(app, Options"):
        options.current()
