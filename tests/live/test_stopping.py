"""A stop with connections that are kept alive: requests that arrive are answered, and nobody new is let in."""

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import Environment, migrated_database
from tests.live.conftest import Service, running_web
from tests.live.test_slow_clients import GET, address, connected, read_response
from tests.waiting import wait_until

CONNECTIONS = 8


def is_refused(service: Service) -> bool:
    try:
        socket.create_connection(address(service), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_on_idle_connections_are_answered_after_a_signal(
    server_environment: Environment, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        migrated_database(server_environment) as environment,
        running_web(environment, tmp_path) as service,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(connected(service, GET + b"\r\n")) for _ in range(CONNECTIONS)]
        for client in clients:
            assert b"\r\nConnection: keep-alive" in read_response(client)[0]
        os.killpg(service.process.pid, number)
        wait_until(lambda: is_refused(service), "no new connection is accepted")
        for client in clients[:-1]:
            client.sendall(GET + b"\r\n")
            head, _ = read_response(client)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nConnection: close" in head
            assert client.recv(1) == b""
        assert clients[-1].recv(1) == b""  # nothing came on this one; it is closed in order
        assert service.process.wait(timeout=30) == 0
