"""The connections that wait for their clients, and which of them has waited too long."""

import selectors
import time
from collections.abc import Callable, Iterator

from http_server.connection import Connection, State


class WaitingRoom:
    """A connection is in here, or a thread works for it.

    Args:
        poller: of the worker's event loop.
    """

    def __init__(self, poller: selectors.BaseSelector) -> None:
        self._poller = poller
        # In the order in which they began to wait, or last sent a byte.
        self._idle: dict[Connection, None] = {}
        self._others: dict[Connection, None] = {}

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._idle or connection in self._others

    def __iter__(self) -> Iterator[Connection]:
        yield from [*self._idle, *self._others]

    def __bool__(self) -> bool:
        return bool(self._idle or self._others)

    def add(self, connection: Connection, on_ready: Callable[[Connection], None]) -> None:
        """Call `on_ready` as soon as the client sends, or can take, bytes. One that is held waits for its time."""
        (self._idle if connection.state is State.IDLE else self._others)[connection] = None
        if connection.state is State.HELD:
            return
        events = selectors.EVENT_WRITE if connection.state is State.SENDING else selectors.EVENT_READ
        if connection.watched_for == events:
            return
        watch = self._poller.modify if connection.watched_for else self._poller.register
        watch(connection.socket, events, lambda _: self._call(connection, on_ready))
        connection.watched_for = events

    def _call(self, connection: Connection, on_ready: Callable[[Connection], None]) -> None:
        if connection in self and connection.state is not State.HELD:
            on_ready(connection)
        else:
            self.unwatch(connection)  # it has sent more, or is gone, while a thread works for it; epoll would repeat it

    def remove(self, connection: Connection) -> None:
        """It stays registered, since most come back soon. Each call of epoll_ctl gives the GIL to another thread."""
        self._idle.pop(connection, None)
        self._others.pop(connection, None)

    def unwatch(self, connection: Connection) -> None:
        """Call it before the connection is closed."""
        if connection.watched_for:
            self._poller.unregister(connection.socket)
            connection.watched_for = 0

    def take_longest(self) -> Connection | None:
        """Remove the one that has waited longest, idle ones first; None when nobody waits."""
        longest = next(iter(self._idle or self._others), None)
        if longest:
            self.remove(longest)
        return longest

    def take_overdue(self) -> list[Connection]:
        """Remove all whose deadline is over."""
        now = time.monotonic()
        overdue = [connection for connection in self if connection.deadline <= now]
        for connection in overdue:
            self.remove(connection)
        return overdue
