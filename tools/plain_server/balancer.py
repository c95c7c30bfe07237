"""Tell HAProxy, which ends TLS and sends requests to the web of the live release, by its API and configuration."""

import csv
import shlex
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from string import Template

from .errors import DeployError
from .place import Place, Settings

HERE = Path(__file__).parent
PROXY = "web"  # the backend of haproxy.cfg, whose servers are named by their ports
ANSWER_WITHIN = 5.0  # seconds
UP_WITHIN = 15.0  # seconds; it checks each second
POLL = 0.05


@dataclass(frozen=True)
class Balancer:
    settings: Settings

    def take(self, port: int) -> None:
        """Send requests to this port, and return once that is so."""
        self._set(port, "ready")
        deadline = time.monotonic() + UP_WITHIN
        while not self._state(port)["status"].startswith("UP"):
            if time.monotonic() > deadline:
                raise DeployError(f"HAProxy finds nothing healthy on port {port}; see its log.")
            time.sleep(POLL)

    def drain(self, port: int) -> None:
        """Send no more requests to this port, and return when those under way have been answered.

        Whoever is not answered within the time that a web has to stop is left to its own graceful shutdown.
        """
        self._set(port, "drain")
        deadline = time.monotonic() + self.settings.stop_within
        while int(self._state(port)["scur"]) and time.monotonic() < deadline:
            time.sleep(POLL)
        self.leave_out(port)  # which also closes idle connections: the web would wait for requests on them

    def leave_out(self, port: int) -> None:
        self._set(port, "maint")

    def require(self) -> None:
        """
        Raises:
            DeployError: HAProxy does not answer, or has another configuration.
        """
        for port in self.settings.ports:
            self._state(port)

    def _set(self, port: int, state: str) -> None:
        if answer := self._ask(f"set server {PROXY}/{port} state {state}"):
            raise DeployError(f"HAProxy refuses to set port {port} to {state}: {answer}")

    def _state(self, port: int) -> dict[str, str]:
        rows = csv.DictReader(self._ask("show stat").removeprefix("# ").splitlines())
        for row in rows:
            if (row["pxname"], row["svname"]) == (PROXY, str(port)):
                return row
        raise DeployError(f"HAProxy does not know port {port}; give it what `receive haproxy` prints, and reload it.")

    def _ask(self, command: str) -> str:
        """
        Raises:
            DeployError: it does not answer.
        """
        path = self.settings.admin_socket
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_WITHIN)
                connection.connect(path)
                connection.sendall(f"{command}\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            raise DeployError(f"HAProxy does not answer at {path} ({error}); is it running, and may we?") from None
        return answer.decode().strip()


def configuration(place: Place) -> str:
    """Return the text of /etc/haproxy/haproxy.cfg."""
    settings = place.settings
    user = settings.haproxy_user
    return Template((HERE / "haproxy.cfg").read_text(encoding="utf-8")).substitute(
        admin_socket=f"{shlex.quote(settings.admin_socket)} mode 660 level admin{f' group {user}' if user else ''}",
        user=f"    user {user}\n    group {user}\n    chroot /var/lib/haproxy" if user else "",
        binds="\n".join(f"    bind {bind}" for bind in settings.binds),
        host=settings.host,
        no_server=shlex.quote(str(HERE / "503.http")),
        servers="\n".join(f"    server {port} 127.0.0.1:{port}" for port in settings.ports),
    )
