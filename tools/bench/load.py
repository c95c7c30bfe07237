"""An open loop: requests that start at their time, however long the ones before take, as readers do."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from tools.bench.client import Answer, Client

RATE = 20.0  # pages a second
PAGES = ("/notes", "/todos", "/mypage", "/wordcounts")


def open_loop(client: Client, seconds: float) -> list[Answer]:
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        answers = []
        for number in range(int(RATE * seconds)):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            answers.append(threads.submit(client.get, PAGES[number % len(PAGES)]))
        return [answer.result() for answer in answers]


def p95(answers: list[Answer]) -> float:
    """Seconds."""
    return statistics.quantiles((answer.seconds for answer in answers), n=20)[-1]
