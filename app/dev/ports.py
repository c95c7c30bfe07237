"""Ports of the loopback interface: which are free, and who holds the others."""

import secrets
import socket
from contextlib import suppress

import psutil

from app.dev.errors import DevError


def require_free(port: int, way_out: str) -> None:
    """Refuse a port that something else listens on.

    Args:
        port: a TCP port.
        way_out: what to do instead, the end of the sentence.

    Raises:
        DevError: the port is in use, or reserved for root.
    """
    try:
        with _listener(port):
            return
    except PermissionError:
        reason = f"Port {port} is reserved for root"
    except OSError:
        reason = f"Port {port} is in use by {_holder(port)}"
    raise DevError(f"{reason}; {way_out}.")


def find_free(count: int, *, offset: int = 0) -> list[int]:
    """Ports in a row for a test's own servers, below the range from which the system hands out outgoing ports.

    Args:
        count: how many.
        offset: each port plus this one is free as well.

    Raises:
        DevError: there are not that many.
    """
    candidates = range(10000, 32768 - offset - count)
    for first in secrets.SystemRandom().sample(candidates, len(candidates)):
        row = list(range(first, first + count))
        if all(_is_free(port) and _is_free(port + offset) for port in row):
            return row
    raise DevError(f"There are no {count} free ports in a row below 32768; stop some servers.")


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT does not count
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _is_free(port: int) -> bool:
    try:
        with _listener(port):
            return True
    except OSError:
        return False


def _holder(port: int) -> str:
    with suppress(psutil.Error):  # who it is may be hidden from us, or it may be gone by now
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another process"
