"""Stop web, worker and release in their first seconds, as PID 1 of a container, and count how each one ended.

Each is started as PID 1 of a PID namespace and gets SIGTERM or SIGINT, in turns, after every tenth of a second of its
first five. The kernel drops a signal for PID 1 while nothing is installed for it, so one that is lost ends by the
SIGKILL that a platform sends when the time is over. The release migrates an empty database each time. As root:
Run: .venv/bin/python -m tools.bench.first_seconds [--seconds 5]
"""

import argparse
import signal
import subprocess
import time
from collections import Counter

import psutil

from tools.bench.service import ROOT, command, create_database, postgresql, release
from tools.dev import ports

LIMIT = 6.0  # seconds from the signal to the SIGKILL
AS_PID_1 = ("unshare", "--pid", "--fork", "--mount-proc")
SIGNALS = (signal.SIGTERM, signal.SIGINT)
# The exit codes of a process that was told to stop, and of a release that was over before it was.
EXPECTED = {"web": {0}, "worker": {0}, "release": {0, 128 + signal.SIGTERM, 128 + signal.SIGINT}}


def stop(name: str, environment: dict[str, str], after: float, number: signal.Signals) -> tuple[int | None, float]:
    """Start a process of the Procfile and stop it. Return its exit code, None for the SIGKILL, and how long it took."""
    line = [*AS_PID_1, *command(name)[-1].split()]  # as of the Dockerfile: no shell is PID 1
    with subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as outer:
        while not (children := psutil.Process(outer.pid).children()):
            time.sleep(0.001)
        [first] = children
        time.sleep(after)
        began = time.monotonic()
        if outer.poll() is None:
            first.send_signal(number)
        try:
            return outer.wait(LIMIT), time.monotonic() - began
        except subprocess.TimeoutExpired:
            first.kill()
            return None, LIMIT


def measure(name: str, environment: dict[str, str], seconds: float) -> bool:
    """Print how a process ended, and return whether it always did as it was told."""
    ends: Counter[int | None] = Counter()
    slowest = 0.0
    for tenth in range(1, int(seconds * 10) + 1):
        own = environment
        if name == "release":  # it migrates an empty database each time
            own = {**environment, "DATABASE_URL": create_database(environment["DATABASE_URL"], f"empty_{tenth}")}
        code, took = stop(name, own, tenth / 10, SIGNALS[tenth % 2])
        ends[code] += 1
        slowest = max(slowest, took)
        if code not in EXPECTED[name]:
            print(f"{name:8} {SIGNALS[tenth % 2].name} after {tenth / 10:.1f} s: {code or 'killed'}", flush=True)
    codes = ", ".join(f"{'killed' if code is None else code}: {times}" for code, times in ends.items())
    print(f"{name:8} {ends.total()} times; exit codes {codes}; slowest {slowest:.1f} s", flush=True)
    return ends.keys() <= EXPECTED[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="the last signal (5)")
    options = parser.parse_args()
    [web_port] = ports.find_free(1)
    with postgresql(durable=False, may_create_databases=True) as (values, _):
        environment = {**values, "WEB_HOST": "127.0.0.1", "PORT": str(web_port)}
        release(environment)
        done = [measure(name, environment, options.seconds) for name in ("web", "worker", "release")]
    if not all(done):
        raise SystemExit("One was not ended by the signal.")


if __name__ == "__main__":
    main()
