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
def clients() -> Iterator[list[socket.socket]]:
    """The other ends of the connections."""
    opened: list[socket.socket] = []
    yield opened
    for client in opened:
        client.close()


@pytest.fixture
def connections(clients: list[socket.socket]) -> Iterator[list[Connection]]:
    made = []
    for _ in range(3):
        ours, client = socket.socketpair()
        clients.append(client)
        address = ("127.0.0.1", 1)
        made.append(Connection(Config(), ours, address, address, BodyLimits(lambda _: 1000)))
    yield made
    for connection in made:
        connection.close()


@pytest.fixture
def poller() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as poller:
        yield poller


@pytest.fixture
def room(poller: selectors.BaseSelector) -> WaitingRoom:
    return WaitingRoom(poller)


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
    assert not held.watched_for
    held.deadline = 0
    assert room.take_overdue() == [held]
    assert not room


def dispatch(poller: selectors.BaseSelector) -> int:
    """One round of the event loop; how many events it had."""
    events = poller.select(0)
    for key, _ in events:
        key.data(key.fileobj)
    return len(events)


def test_who_sends_while_a_thread_works_for_it_is_not_watched_until_it_waits_again(
    room: WaitingRoom, poller: selectors.BaseSelector, connections: list[Connection], clients: list[socket.socket]
) -> None:
    """Else epoll would report it again and again."""
    called: list[Connection] = []
    room.add(connections[0], called.append)
    room.remove(connections[0])
    clients[0].sendall(b"more")
    assert [dispatch(poller), dispatch(poller)] == [1, 0]
    assert called == []
    room.add(connections[0], called.append)
    assert dispatch(poller) == 1
    assert called == [connections[0]]


def test_one_that_comes_back_is_still_watched(
    room: WaitingRoom, poller: selectors.BaseSelector, connections: list[Connection], clients: list[socket.socket]
) -> None:
    called: list[Connection] = []
    for _ in range(2):
        room.add(connections[0], called.append)
        clients[0].sendall(b"more")
        assert dispatch(poller) == 1
        connections[0].socket.recv(100)
        room.remove(connections[0])
        assert connections[0].watched_for == selectors.EVENT_READ
    assert len(called) == 2


def test_one_that_is_closed_is_forgotten(
    room: WaitingRoom, poller: selectors.BaseSelector, connections: list[Connection]
) -> None:
    room.add(connections[0], lambda _: None)
    room.remove(connections[0])
    room.unwatch(connections[0])
    assert not poller.get_map()


def test_one_that_is_held_waits_for_its_time_though_its_client_has_gone(
    room: WaitingRoom, poller: selectors.BaseSelector, connections: list[Connection], clients: list[socket.socket]
) -> None:
    called: list[Connection] = []
    room.add(connections[0], called.append)  # for the request, so it is watched
    room.remove(connections[0])
    connections[0].hold()
    room.add(connections[0], called.append)
    clients[0].close()
    assert [dispatch(poller), dispatch(poller)] == [1, 0]
    assert (called, room.take_overdue()) == ([], [])
    connections[0].deadline = 0
    assert room.take_overdue() == [connections[0]]
