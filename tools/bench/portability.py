"""Export and import of large notebooks: seconds, CPU, memory of the web process, and how long pages wait meanwhile.

The Procfile's web with one process, a PostgreSQL of its own, and notes as long as they may be. Somebody else opens a
page every 50 ms.
Run: .venv/bin/python -m tools.bench.portability 5000 20000
"""

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from config import ProductionConfig
from tests.portability import korean_notes
from tools.bench.client import Client
from tools.bench.service import database, running

PASSWORD = "seventeen blue kettles"  # noqa: S105 - of an account that lives as long as the command
PAUSE = 0.05  # seconds between two pages


@dataclass
class Meanwhile:
    """What the pages of others took while something else ran, and what it cost the process."""

    process: psutil.Process
    reader: Client
    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> "Meanwhile":
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._cpu = sum(self.process.cpu_times()[:2])
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.cpu = sum(self.process.cpu_times()[:2]) - self._cpu
        self._ends.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ends.wait(PAUSE):
            answer = self.reader.get("/notes")
            self.waits.append(answer.seconds if answer.status == 200 else float("inf"))

    def __str__(self) -> str:
        ordered = sorted(self.waits)
        p50, p95, most = (ordered[int(part * (len(ordered) - 1))] * 1000 for part in (0.5, 0.95, 1.0))
        return (
            f"{self.seconds:6.1f} s, CPU {self.cpu:6.1f} s, peak {peak(self.process):4.0f} MB;"
            f" pages p50 {p50:4.0f}, p95 {p95:4.0f}, most {most:5.0f} ms of {len(ordered)}"
        )


def main() -> None:
    for count in map(int, sys.argv[1:] or ["5000"]):
        with ExitStack() as stack:
            environment = {**stack.enter_context(database()), "WEB_CONCURRENCY": "1", "LOG_LEVEL": "ERROR"}
            app = create_app(ProductionConfig(environment))
            with app.app_context():
                korean_notes.fill(sign_up("owner").id, count)
            web = stack.enter_context(running(environment))
            [process] = psutil.Process(web.pid).children()
            measure(app, web.port, process, count)


def measure(app: Flask, port: int, process: psutil.Process, count: int) -> None:
    owner, other, reader = (signed_in(app, port, name) for name in ("owner", "other", "reader"))
    began = peak(process)
    with Meanwhile(process, reader) as idle:
        time.sleep(5)
    print(f"{count:,} notes, process before {began:.0f} MB\n  nothing {idle}", flush=True)
    with Meanwhile(process, reader) as exporting:
        first, archive = download(owner)
    print(f"  export  {exporting}; first byte {first:.2f} s, ZIP {len(archive) / 1e6:.1f} MB", flush=True)
    with Meanwhile(process, reader) as importing:
        answer = other.submit("/mypage/import", archive=("semicircle.zip", archive, "application/zip"))
    print(f"  import  {importing}; status {answer.status}, server {answer.seconds:.1f} s", flush=True)
    with app.app_context():
        rows = db.session.execute(text("SELECT count(*) FROM notes GROUP BY user_id")).scalars().all()
    print(f"  rows    {rows}", flush=True)


def peak(process: psutil.Process) -> float:
    """VmHWM in MB (Linux)."""
    with open(f"/proc/{process.pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def download(browser: Client) -> tuple[float, bytes]:
    """Seconds to the first byte, and the export."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    began = time.perf_counter()
    answer = browser._pool.request(
        "GET", browser.url + "/mypage/export", headers={**browser.headers, "Cookie": cookie},
        preload_content=False, timeout=600,
    )  # fmt: skip
    first = answer.read(1)
    seconds = time.perf_counter() - began
    return seconds, first + answer.read()


def sign_up(name: str) -> User:
    user = accounts.sign_up(f"{name}@example.com", name, PASSWORD)
    db.session.commit()
    return user


def signed_in(app: Flask, port: int, name: str) -> Client:
    if name != "owner":
        with app.app_context():
            sign_up(name)
    client = Client(port)
    client._pool.connection_pool_kw["timeout"] = 600
    answer = client.submit("/sign-in", email=f"{name}@example.com", password=PASSWORD)
    if answer.status != 302:
        raise RuntimeError(f"sign-in answered {answer.status}")
    client.forget_token()
    return client


if __name__ == "__main__":
    main()
