"""Where the servers of a checkout listen: on free ports, which are remembered so that they stay the same."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.dev import ports, s3
from app.dev.errors import DevError

WEB_PORTS = range(5000, 5100)


@dataclass(frozen=True)
class Addresses:
    """
    Args:
        web: listens already, so no other checkout can take the port.
        postgres: None when the environment names a database.
        s3: None when the environment names a bucket.
    """

    web: socket.socket
    postgres: int | None
    s3: s3.Ports | None

    @property
    def web_port(self) -> int:
        port: int = self.web.getsockname()[1]
        return port


def choose(config: dict[str, Any]) -> Addresses:
    """The remembered ports as far as they are free, else others; and remember them.

    Whatever an earlier run of this checkout left running has to be stopped before.

    Args:
        config: PORT is one that the developer asked for, PORTS the remembered ones, PORTS_FILE where they are noted.

    Raises:
        DevError: the port that the developer asked for is taken.
    """
    remembered: dict[str, int] = config["PORTS"]
    chosen = dict(remembered)
    addresses = Addresses(
        web=_asked_for(config["PORT"]) if config["PORT"] else _web(remembered.get("web")),
        postgres=_postgres(remembered.get("postgres")) if config["EMBEDDED_POSTGRES"] else None,
        s3=_s3(remembered.get("s3")) if config["EMBEDDED_S3"] else None,
    )
    if not config["PORT"]:
        chosen["web"] = addresses.web_port
    if addresses.postgres:
        chosen["postgres"] = addresses.postgres
    if addresses.s3:
        chosen["s3"] = addresses.s3.s3
    if chosen != remembered:
        _note(config["PORTS_FILE"], chosen)
    return addresses


def _asked_for(port: int) -> socket.socket:
    try:
        return ports.listen(port)
    except OSError as error:
        raise DevError(f"{ports.why_not(port, error)}; without PORT a free one is taken: make dev.") from None


def _web(remembered: int | None) -> socket.socket:
    """The remembered port, else the first free one from 5000 on."""
    for port in ([remembered] if remembered else []) + list(WEB_PORTS):
        try:
            return ports.listen(port)
        except OSError as error:
            if port == remembered:
                click.echo(f"{ports.why_not(port, error)}; taking another.")
    raise DevError(f"There is no free port from {WEB_PORTS[0]} to {WEB_PORTS[-1]}; name one: make dev PORT=6000.")


def _postgres(remembered: int | None) -> int:
    if remembered and ports.is_free(remembered) and ports.claim(remembered):
        return remembered
    return ports.find_free(1)[0]


def _s3(remembered: int | None) -> s3.Ports:
    if remembered:
        found = s3.ports_from(remembered)
        if s3.are_free(found) and ports.claim(remembered):
            return found
    return s3.free_ports()


def _note(file: Path, chosen: dict[str, int]) -> None:
    """Replace the file at once: another `flask` command may be reading it."""
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(chosen) + "\n")
    draft.replace(file)
