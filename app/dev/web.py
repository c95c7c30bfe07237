"""The web of development: Flask's own server, on a socket that `flask dev` holds.

`flask dev` keeps the socket while it starts the server again, so a browser waits for the new code and is never refused.
Flask's own reloader does the same with two environment variables, but it imports the whole application twice, one after
the other.
"""

import os
import select
import socket
import sys
from pathlib import Path

from app.dev.processes import Child, spawn

FLASK = [sys.executable, "-m", "flask"]
COMMAND = [*FLASK, "run"]


def start(root: Path, listener: socket.socket) -> Child:
    """Start the server. Code that cannot be imported is shown as an error page, as under Flask's reloader.

    Args:
        root: the folder of the application.
        listener: the socket that it serves.
    """
    port = listener.getsockname()[1]
    # What werkzeug's reloader tells its child: that it is one, and which open file is the socket.
    inherited = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(listener.fileno())}
    command = [*COMMAND, "--debug", "--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    process = spawn(command, cwd=root, env={**os.environ, **inherited}, pass_fds=[listener.fileno()])
    return Child("web", process)


class Question:
    """A request for /readyz, of which the answer is waited for without blocking."""

    def __init__(self, port: int) -> None:
        self._client = socket.create_connection(("127.0.0.1", port))  # accepted by the kernel, at once
        self._client.sendall(b"GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")

    def is_answered(self) -> bool:
        """Whether anything came back; what it says is for the pages to show."""
        readable, _, _ = select.select([self._client], [], [], 0)
        return bool(readable)

    def close(self) -> None:
        self._client.close()
