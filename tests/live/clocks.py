"""Machines whose clocks disagree, behind a router that sends each request to the next one of them.

time-machine changes what C code answers: the functions of `time` and the methods of `datetime`, for whoever asks in the
process. Its monotonic clocks stay. libfaketime cannot leave those alone: then Debian 12's fails each time.sleep().
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.databases import Environment
from tests.live.plain_site import HAPROXY
from tools.dev import ports
from tools.dev.processes import Child, spawn

SECONDS = 10
AHEAD, BEHIND = +30.0, -30.0  # seconds

# Python imports a module of this name when it starts.
SITECUSTOMIZE = """\
from datetime import UTC, datetime, timedelta

import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(seconds={ahead}), tick=True).start()
datetime.now(UTC)  # its clock begins to run when it is asked for the first time
"""

ROUND_ROBIN = """\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen site
    bind 127.0.0.1:{port}
    balance roundrobin
"""


def clock(folder: Path, ahead: float) -> Environment:
    """Return the environment of a process whose clock is so many seconds ahead of this machine's; negative: behind."""
    own = folder / f"clock{ahead:+}"
    own.mkdir()
    (own / "sitecustomize.py").write_text(SITECUSTOMIZE.format(ahead=ahead))
    return {"PYTHONPATH": str(own)}


@contextmanager
def round_robin(folder: Path, *webs: int) -> Iterator[int]:
    """Yield the port of a router without stickiness: each request goes to the next of the webs.

    Args:
        webs: their ports.
    """
    [port] = ports.find_free(1)
    servers = "".join(f"    server web{number} 127.0.0.1:{web}\n" for number, web in enumerate(webs))
    configuration, log = folder / "haproxy.cfg", folder / "haproxy.log"
    configuration.write_text(ROUND_ROBIN.format(port=port) + servers)
    haproxy = Child("haproxy", spawn([str(HAPROXY), "-db", "-f", str(configuration)], log=log), log)
    try:
        haproxy.wait_until(lambda: _listens(port), SECONDS)
        yield port
    finally:
        haproxy.stop()


def _listens(port: int) -> bool:
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False
