"""A deadline ends the conversation on whatever object holds its socket, and closes nobody's socket before."""

import socket

from app.deadline import Deadline


def test_the_time_is_up_also_for_who_took_the_socket_over() -> None:
    """As TLS does, also in the middle (STARTTLS)."""
    ours, theirs = socket.socketpair()
    with theirs, Deadline(0.05) as deadline:
        deadline.guard(ours)
        with socket.socket(fileno=ours.detach()) as taken_over:
            taken_over.settimeout(10)
            assert taken_over.recv(1) == b""
    assert deadline.expired


def test_a_socket_outlives_the_guard() -> None:
    (first, _peer), (second, peer) = socket.socketpair(), socket.socketpair()
    with first, _peer, second, peer:
        with Deadline(60) as deadline:
            deadline.guard(first)
            deadline.guard(second)
            assert 0 < deadline.remaining <= 60
        peer.sendall(b"on")
        assert (first.fileno() >= 0, second.recv(2)) == (True, b"on")
