"""Starts the embedded servers, those for which the environment names no other."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import click

from app.dev import postgres, s3
from app.dev.addresses import Addresses
from app.dev.checkout import Checkout
from app.dev.processes import Child, interrupted


def start(
    config: dict[str, Any], checkout: Checkout, chosen: Addresses, running: ExitStack
) -> dict[str, Future[Child]]:
    """Start the embedded servers at the same time, each in a thread. What fails is raised by the future's result()."""
    starts: dict[str, Callable[[], Child]] = {}
    if chosen.postgres:
        starts["PostgreSQL"] = partial(_start_postgres, checkout, chosen.postgres)
    if chosen.s3:
        starts["S3"] = partial(_start_s3, config, checkout, chosen.s3)
    pool = ThreadPoolExecutor(max_workers=2)
    servers = {name: pool.submit(start) for name, start in starts.items()}
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


def _start_s3(config: dict[str, Any], checkout: Checkout, ports: s3.Ports) -> Child:
    keys = config["S3_ACCESS_KEY_ID"], config["S3_SECRET_ACCESS_KEY"]
    child = s3.start(checkout.s3, ports, config["S3_BUCKET"], *keys)
    click.echo(f"S3 is on {s3.endpoint(ports)}, its data in {checkout.s3}")
    return child
