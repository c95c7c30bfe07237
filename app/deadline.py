"""A total deadline for a conversation with a server, be it of the web or of mail. Pure."""

import contextlib
import socket
import struct
import threading
import time
from typing import Self


class Deadline:
    """Shut down the guarded socket when the time is up, by a timer in another thread.

    A socket's timeout starts over with each byte, so a server that sends one byte a second never exceeds it.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon, self._timer.name = True, "deadline"

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._release()

    @property
    def remaining(self) -> float:
        """Return the seconds that are left. Never 0, since a timeout of 0 makes a socket non-blocking."""
        return max(self._end - time.monotonic(), 0.001)

    @property
    def expired(self) -> bool:
        """Return True if the time is up, by the clock: a socket's timeout may fire before the timer's thread runs."""
        return time.monotonic() >= self._end

    def guard(self, sock: socket.socket) -> None:
        """Guard this socket instead of the one before.

        The socket is duplicated. TLS takes the original over, also in the middle (STARTTLS), and HTTP closes it early,
        but the duplicate reaches the connection as long as it is open.
        """
        with self._lock:
            self._release()
            self._socket = sock.dup()
        if self.expired:
            self._expire()

    def _expire(self) -> None:
        with self._lock, contextlib.suppress(OSError):  # the server has already closed it
            if self._socket:
                # Close with a reset. After an orderly end the kernel would go on receiving from a server that floods.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._socket.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
