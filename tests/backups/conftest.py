"""The fixtures of what restores."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.backups.shop import ROWS, SINCE, Shop, as_superuser, databases, pg_dump, run, server_16
from tests.databases import Environment, upgrade


@pytest.fixture(scope="session")
def server(server_environment: Environment) -> Iterator[str]:
    with server_16() as url:
        upgrade({**server_environment, "DATABASE_URL": url})
        run(url, *ROWS)
        yield url


@pytest.fixture
def shop(server: str, server_environment: Environment, tmp_path: Path) -> Iterator[Shop]:
    name = f"shop_{secrets.token_hex(4)}"
    url = make_url(server).set(database=name).render_as_string()
    root = make_url(as_superuser(server)).set(database="postgres").render_as_string()
    run(root, f"CREATE DATABASE {name} TEMPLATE semicircle OWNER semicircle")
    dump = pg_dump(url, tmp_path / "last night's.dump")
    run(url, SINCE)
    yield Shop(url, dump, {**server_environment, "DATABASE_URL": url, "S3_PREFIX": name}, databases(server))
    for made in databases(server):
        if made.startswith(name):
            run(root, f"DROP DATABASE {made} WITH (FORCE)")
