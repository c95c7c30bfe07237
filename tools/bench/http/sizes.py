"""Bytes of the list's HTML: as it is, and compressed, by the service or else as a router in front of it would."""

import gzip
from http.client import HTTPConnection
from typing import NamedTuple

from tools.bench.http.targets import Target

LEVEL = 6  # gzip's default


class Size(NamedTuple):
    plain: int
    compressed: int
    by_the_service: bool


def of_list(target: Target) -> Size:
    reader = target.readers[0]
    headers = dict(line.split(": ", 1) for line in reader.headers.splitlines())
    connection = HTTPConnection("127.0.0.1", target.port, timeout=30)
    connection.request("GET", "/notes", headers={**headers, "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.headers.get("Content-Encoding") == "gzip":
        return Size(len(gzip.decompress(body)), len(body), by_the_service=True)
    return Size(len(body), len(gzip.compress(body, LEVEL)), by_the_service=False)
