"""A queue whose workers count pages of this machine, one of which answers when the test says so."""

import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from tests.databases import Environment, migrated_database
from tests.live.conftest import Queue
from tests.waiting import WITHIN
from tests.wordcounts.page_server import PageServer, page

PAGE = page(b"<p>two words")
STATUSES = "SELECT status, count(*) FROM results GROUP BY status"
UNFINISHED = "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'wordcounts.count'"


@dataclass(frozen=True)
class CountingQueue(Queue):
    def ask(self, *urls: str) -> None:
        """Ask for counts of these pages, as one user per five pages."""
        with self.app.app_context():
            for start in range(0, len(urls), service.MAX_UNFINISHED):
                name = f"reader-{secrets.token_hex(4)}"
                reader = User(email=f"{name}@example.com", nickname=name, nickname_key=name, password_hash="")
                db.session.add(reader)
                db.session.commit()
                for url in urls[start : start + service.MAX_UNFINISHED]:
                    service.ask(reader.id, url)

    def has_counted(self, number: int) -> bool:
        """Tell whether so many pages were asked for, and all are counted."""
        return self.rows(STATUSES) == [("done", number)]


def counting_queue(environment: Environment, folder: Path, pages: PageServer) -> CountingQueue:
    return CountingQueue.of({**environment, "TEST_PAGE_SERVERS": f"127.0.0.1:{pages.port}"}, folder)


class Slow:
    """Answer with a page when the test says so."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        self.asked.release()
        self.may_answer.wait(WITHIN)
        connection.sendall(PAGE)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def pages(slow: Slow) -> Iterator[PageServer]:
    """Yield a server of any page by its number, and of a slow one."""
    with PageServer({**{f"/{number}": PAGE for number in range(60)}, "/slow": slow}) as server:
        yield server
        slow.may_answer.set()


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, pages: PageServer) -> Iterator[CountingQueue]:
    with migrated_database(server_environment) as environment:
        yield counting_queue(environment, tmp_path, pages)
