"""A TCP proxy that makes every round trip take longer, as a network does. It runs in a process of its own.

The delay is put on the way of the answers alone, so that it is that of a round trip.
"""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from typing import TypeAlias

START_WITHIN = 60  # seconds
CHUNK = 1 << 16

Delay: TypeAlias = "Synchronized[float]"  # seconds


@contextmanager
def proxy(upstream: int) -> Iterator[tuple[int, Delay]]:
    """The port of a proxy, and its delay, which can be set. Raises: RuntimeError.

    Args:
        upstream: the port that it leads to.
    """
    context = multiprocessing.get_context("spawn")
    delay = context.Value("d", 0.0)
    pipe, theirs = context.Pipe()
    process = context.Process(target=serve, args=(upstream, delay, theirs), daemon=True)
    process.start()
    try:
        if not pipe.poll(START_WITHIN):
            raise RuntimeError("the proxy does not start")
        yield pipe.recv(), delay
    finally:
        process.kill()
        process.join()


def serve(upstream: int, delay: Delay, pipe: Connection) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(upstream, delay, pipe))


async def _serve(upstream: int, delay: Delay, pipe: Connection) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(_pass_on(reader, requests, lambda: 0.0), _pass_on(answers, writer, lambda: delay.value))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Callable[[], float]) -> None:
    """Pass on what comes until the end, each piece after the delay in seconds."""
    try:
        while data := await reader.read(CHUNK):
            await asyncio.sleep(delay())
            writer.write(data)
    except ConnectionError:
        pass  # the end of this connection, which the other side is told by the next line
    finally:
        writer.close()
