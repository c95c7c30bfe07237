"""TCP ports of the loopback interface: which are free or claimed, and who holds the others."""

import secrets
import socket
from contextlib import suppress

import psutil

from tools.dev.processes import DevError

# Where servers of development and tests listen: above most well-known services, and with SeaweedFS's 10000 more still
# below 32768, where the system begins to hand out ports for outgoing connections.
FIRST, END = 10000, 20000
ROW = 8  # ports that are claimed together; the longest row that a server needs is 5


def find_free(count: int, *, offset: int = 0) -> list[int]:
    """Return up to ROW ports in a row that nothing listens on, and that no other process is given while we live.

    Each port plus the offset is free as well. Raises: DevError: there are not that many.
    """
    rows = range(FIRST, END, ROW)
    for first in secrets.SystemRandom().sample(rows, len(rows)):
        row = list(range(first, first + count))
        if all(is_free(port) and is_free(port + offset) for port in row) and _claim(first):
            return row
    raise DevError(f"There are no {count} free ports in a row from {FIRST} to {END}; stop some servers.")


def _claim(first: int) -> bool:
    """Take a row of ports until this process ends; False if another one has it. Servers take seconds to listen.

    A claim is a UDP socket on the first port, which no server here uses. The kernel closes it with the process.
    """
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as claim:
        claim.bind(("127.0.0.1", first))
        claim.detach()  # it stays open
        return True
    return False


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port, and is inherited by a child that is told to. Raises: OSError."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT does not count
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def is_free(port: int) -> bool:
    with suppress(OSError):
        listen(port).close()
        return True
    return False


def require_free(port: int, way_out: str) -> None:
    """Refuse a port that something else listens on, or that is reserved for root; `way_out` ends the sentence."""
    try:
        listen(port).close()
    except OSError as error:
        raise DevError(f"{why_not(port, error)}; {way_out}.") from None


def why_not(port: int, error: OSError) -> str:
    """Begin a sentence that tells what keeps us from listening on a port."""
    if isinstance(error, PermissionError):
        return f"Port {port} is reserved for root"
    return f"Port {port} is in use by {holder(port)}"


def holder(port: int) -> str:
    """Name the process that listens on a port, as far as this user may know."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another process"
