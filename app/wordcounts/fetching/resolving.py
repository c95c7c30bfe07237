"""Resolve a host name, once and within the deadline."""

import queue
import socket
import threading

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.deadline import Deadline


def resolve(host: str, port: int, deadline: Deadline) -> list[str]:
    """The IP addresses of a name, in the resolver's order of preference.

    getaddrinfo takes no timeout, so it runs in a thread. A thread that hangs is abandoned.

    Raises:
        FetchFailed: DNS or DEADLINE.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as error:  # raised below, in the thread that waits
            answers.put(error)
        else:
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.remaining)
    except queue.Empty as error:
        raise FetchFailed(Failure.DEADLINE, is_transient=True) from error
    if isinstance(answer, Exception):
        is_transient = isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN
        raise FetchFailed(Failure.DNS, is_transient=is_transient) from answer
    if not answer:
        raise FetchFailed(Failure.DNS)
    return answer
