"""Who makes room when a process has as many connections as it may: idle ones first, then who waits longest."""

import selectors
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from http_server.body_limits import BodyLimits
from http_server.connection import Connection, State
from http_server.waiting_room import WaitingRoom


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    pairs = [socket.socketpair() for _ in range(3)]
    made = [
        Connection(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2), BodyLimits(lambda _: 1000)) for ours, _ in pairs
    ]
    yield made
    for connection, (_, client) in zip(made, pairs, strict=True):
        connection.close()
        client.close()


@pytest.fixture
def room() -> Iterator[WaitingRoom]:
    with selectors.DefaultSelector() as poller:
        yield WaitingRoom(poller)


def test_an_idle_connection_makes_room_before_one_that_sends(room: WaitingRoom, connections: list[Connection]) -> None:
    connections[1].state = connections[2].state = State.IDLE
    for connection in connections:
        room.add(connection, lambda _: None)
    assert [room.take_longest() for _ in range(4)] == [connections[1], connections[2], connections[0], None]
    assert not room


def test_only_connections_over_their_deadline_are_overdue(room: WaitingRoom, connections: list[Connection]) -> None:
    for connection in connections:
        room.add(connection, lambda _: None)
    connections[1].deadline = 0
    assert room.take_overdue() == [connections[1]]
    assert list(room) == [connections[0], connections[2]]


def test_one_that_is_held_waits_for_its_time_whatever_its_client_does(
    room: WaitingRoom, connections: list[Connection]
) -> None:
    held = connections[0]
    held.hold()
    room.add(held, lambda _: None)
    assert not room.take_overdue()
    held.socket.close()  # it is not watched, so this is no error
    held.deadline = 0
    assert room.take_overdue() == [held]
    assert not room
