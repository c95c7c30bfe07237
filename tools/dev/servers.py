"""The servers of a checkout: where they listen and keep their data, and those that are embedded.

Ports are free ones, which are remembered so that they stay the same.
"""

import json
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tools.dev import ports, postgres, s3
from tools.dev.processes import Child, DevError, interrupted

WEB_PORTS = range(5000, 5100)


@dataclass(frozen=True)
class Checkout:
    """Name the folder of the code, and the one for what `make dev` keeps."""

    root: Path
    instance: Path

    @property
    def postgres(self) -> Path:
        return self.instance / "postgres"

    @property
    def s3(self) -> Path:
        return self.instance / "s3"

    def pid_file(self, name: str) -> Path:
        return self.instance / f"{name}.pid"


@dataclass(frozen=True)
class Addresses:
    web: socket.socket  # listens already, so no other checkout can take the port
    postgres: int | None  # None when the environment names a database
    s3: int | None  # the first of its ports; None when the environment names a bucket

    @property
    def web_port(self) -> int:
        port: int = self.web.getsockname()[1]
        return port


def choose(config: dict[str, Any]) -> Addresses:
    """Return the remembered ports (PORTS) as far as they are free, else others; and remember them (PORTS_FILE).

    An earlier run of this checkout has to be stopped before. Raises: DevError: the port that was asked for (PORT) is
    taken.
    """
    remembered: dict[str, int] = config["PORTS"]
    addresses = Addresses(
        web=_asked_for(config["PORT"]) if config["PORT"] else _web(remembered.get("web")),
        postgres=_postgres(remembered.get("postgres")) if config["EMBEDDED_POSTGRES"] else None,
        s3=_s3(remembered.get("s3")) if config["EMBEDDED_S3"] else None,
    )
    chosen = {
        "web": None if config["PORT"] else addresses.web_port,
        "postgres": addresses.postgres,
        "s3": addresses.s3,
    }
    noted = remembered | {name: port for name, port in chosen.items() if port}
    if noted != remembered:  # the file is replaced at once: another `flask` command may be reading it
        draft = config["PORTS_FILE"].with_suffix(".new")
        draft.write_text(json.dumps(noted) + "\n")
        draft.replace(config["PORTS_FILE"])
    return addresses


def _asked_for(port: int) -> socket.socket:
    try:
        return ports.listen(port)
    except OSError as error:
        raise DevError(f"{ports.why_not(port, error)}; without PORT a free one is taken: make dev.") from None


def _web(remembered: int | None) -> socket.socket:
    """Return a listener on the remembered port, else on the first free one from 5000 on."""
    for port in ([remembered] if remembered else []) + list(WEB_PORTS):
        try:
            return ports.listen(port)
        except OSError as error:
            if port == remembered:
                click.echo(f"{ports.why_not(port, error)}; taking another.")
    raise DevError(f"There is no free port from {WEB_PORTS[0]} to {WEB_PORTS[-1]}; name one: make dev PORT=6000.")


def _postgres(remembered: int | None) -> int:
    return remembered if remembered and ports.is_free(remembered) else ports.find_free(1)[0]


def _s3(remembered: int | None) -> int:
    return remembered if remembered and s3.is_free(remembered) else s3.free_port()


def start(
    config: dict[str, Any], checkout: Checkout, chosen: Addresses, running: ExitStack
) -> dict[str, Future[Child]]:
    """Start the embedded servers at the same time, each in a thread. What fails is raised by the future's result()."""
    pool = ThreadPoolExecutor(max_workers=2)
    servers = {}
    if chosen.postgres:
        servers["PostgreSQL"] = pool.submit(_start_postgres, checkout, chosen.postgres)
    if chosen.s3:
        servers["S3"] = pool.submit(_start_s3, config, checkout, chosen.s3)
    for server in servers.values():
        running.callback(_stop_server, server)
    return servers


def _stop_server(server: Future[Child]) -> None:
    interrupted.set()  # one that is still starting gives up
    if not server.exception():
        server.result().stop()


def _start_postgres(checkout: Checkout, port: int) -> Child:
    child = postgres.start(checkout.postgres, port, may_create_databases=True)
    click.echo(f"PostgreSQL is on 127.0.0.1:{port}, its data in {checkout.postgres}")
    return child


def _start_s3(config: dict[str, Any], checkout: Checkout, port: int) -> Child:
    keys = config["S3_ACCESS_KEY_ID"], config["S3_SECRET_ACCESS_KEY"]
    child = s3.start(checkout.s3, port, config["S3_BUCKET"], *keys)
    click.echo(f"S3 is on {s3.endpoint(port)}, its data in {checkout.s3}")
    return child
