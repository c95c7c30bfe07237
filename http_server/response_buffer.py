"""Response buffering: a thread that answers never waits for a client that reads slowly."""

import socket

from http_server.refusals import ClientGone, Spool

IN_MEMORY = 256 * 1024  # bytes; most of a longer answer, such as an export, waits in a file
SEND_AT_ONCE = 64 * 1024
SENDS_A_TURN = 16  # then the other connections of the event loop have their turn
TOO_MANY_REQUESTS = b"429"


class ResponseBuffer:
    """Stands in for the socket when gunicorn writes a response.

    Sends what the kernel takes at once and keeps the rest; the worker's event loop sends that with `flush`. The head
    waits for the beginning of the body, or for `flush` where there is none. The answer that a rate limit is reached is
    kept from its first byte on, for the tarpit.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.sent = 0  # bytes
        self.is_empty = True
        self.is_held = False  # for the tarpit
        self._socket = connection
        self._kept = Spool(IN_MEMORY)
        self._kept_from = 0
        self.has_begun = False
        self._head = b""  # while it waits for the beginning of the body, to go out with it in one packet

    def close(self) -> None:
        self.is_empty = True
        self._kept.close()

    def shutdown(self, how: int) -> None:
        """Do nothing: gunicorn calls this when a response is cut off, and the event loop closes the connection."""
        raise ClientGone

    def sendall(self, data: bytes) -> None:
        """Raises: ClientGone, SpoolFailed."""
        if self.has_begun:
            self._put(data)
        else:  # gunicorn writes the head first, in one piece
            self.has_begun, self._head = True, data
            self.is_held = data[9:12] == TOO_MANY_REQUESTS  # in the status line: "HTTP/1.1 429 …"

    def _put(self, data: bytes) -> None:
        data, self._head = self._head + data, b""
        if self.is_empty and not self.is_held:
            data = data[self._send(data) :]
        if data:
            self.is_empty = False
            self._kept.write(data)

    def flush(self) -> bool:
        """Send what the kernel takes now. Returns whether all of it is sent. Raises: as `sendall`."""
        if self._head:
            self._put(b"")
        for _ in range(SENDS_A_TURN):
            if self.is_empty:
                break
            self._kept.seek(self._kept_from)
            data = self._kept.read(SEND_AT_ONCE)
            sent = self._send(data)
            self._kept_from += sent
            self.is_empty = not data
            if sent < len(data):
                break
        return self.is_empty

    def gettimeout(self) -> float:
        """Return 0, a socket that does not block, to gunicorn's write_error."""
        return 0.0

    def _send(self, data: bytes) -> int:
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise ClientGone from error
        self.sent += sent
        return sent
