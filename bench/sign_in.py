"""How long a refused sign-in, and a forgotten password, take for an address that nobody has against one that is known.

A difference would tell a stranger who has an account. Run: .venv/bin/python -m bench.sign_in
"""

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import flask_migrate

from app import create_app
from app.accounts import events, recovery, service
from app.accounts.events import Client
from app.dev import ports, postgres
from config import DevelopmentConfig

TRIES = 200  # of each, in turn, so that a machine that slows down slows both


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def refused(email: str) -> None:
    try:
        service.authenticate(email, "not the password")
    except service.WrongCredentials as error:
        events.sign_in_failed(error.user_id, email, Client("203.0.113.7", "bench"), "key")
        return
    raise AssertionError("signed in with a wrong password")


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        [port] = ports.find_free(1)
        stack.callback(postgres.start(folder / "postgres", port, durable=True).stop)
        app = create_app(DevelopmentConfig({"DATABASE_URL": postgres.url(port), "LOG_LEVEL": "ERROR"}))
        stack.enter_context(app.app_context())
        flask_migrate.upgrade(str(Path(app.root_path).parent / "migrations"))
        service.sign_up("known@example.com", "known", secrets.token_hex(20))

        compare("refused sign-in", refused)
        compare("forgotten password", lambda email: recovery.ask_for_link(email, "en"))


def compare(what: str, action: Callable[[str], None]) -> None:
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(TRIES):
        for name, taken in times.items():
            taken.append(seconds(lambda name=name: action(f"{name}@example.com")))  # type: ignore[misc]
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"{what}, {name:7} address: median {median * 1000:6.2f} ms of {TRIES}")
    print(f"{what}, unknown / known: {medians['unknown'] / medians['known']:.3f}")


if __name__ == "__main__":
    main()
