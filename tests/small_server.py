"""A PostgreSQL with so few connections that a test can take them all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from tests.replica import rows
from tests.servers import folder_for_postgres
from tools.dev import ports, postgres

LET_SUPERUSER_IN = "host all postgres 127.0.0.1/32 trust\n"


@dataclass(frozen=True)
class SmallServer:
    port: int

    @property
    def url(self) -> str:
        """Return the URL of the role that a service has, which is no superuser."""
        return postgres.url(self.port)

    def connect(self, role: str = "semicircle") -> connection:
        """
        Args:
            role: "postgres", the superuser, may have the connections that are reserved, too.
        """
        url = self.url if role == "semicircle" else self.url.replace("semicircle:semicircle", role)
        opened = psycopg2.connect(url)
        opened.autocommit = True
        return opened

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask as the superuser, who can even when no connection is left to others."""
        return rows(self.port, query)


@contextmanager
def small_server(connections: int, reserved: int) -> Iterator[SmallServer]:
    """
    Args:
        connections: max_connections, with those that are reserved.
        reserved: superuser_reserved_connections.
    """
    with folder_for_postgres() as folder:
        data = folder / "postgres"
        [port] = ports.find_free(1)
        postgres.start(data, port, durable=False).stop()  # makes the data
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(f"max_connections = {connections}\nsuperuser_reserved_connections = {reserved}\n")
        access = data / "pg_hba.conf"
        access.write_text(LET_SUPERUSER_IN + access.read_text())
        server = postgres.start(data, port, durable=False)
        try:
            yield SmallServer(port)
        finally:
            server.stop()
