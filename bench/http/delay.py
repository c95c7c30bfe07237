"""A TCP proxy between the service and PostgreSQL that makes every round trip take longer, as a network does.

It runs in a process of its own. The delay is put on the way of the answers alone, so that it is that of a round trip.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from app.dev import ports
from bench.http import figures, targets
from bench.http.figures import Turn, of, paired
from bench.http.report import NAMES, written
from bench.http.targets import Stage, Target
from bench.http.turns import CLIENTS, LIST, Bench, Work
from bench.release.report import markdown

START_WITHIN = 30  # seconds
CHUNK = 1 << 16
DELAYS = {"0 ms": 0.0, "2 ms": 0.002}  # seconds, added to a round trip
AT_ONCE = (1, CLIENTS)


def serve(port: int, database_port: int, delay: "Synchronized[float]", ready: Event) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(port, database_port, delay, ready))


async def _serve(port: int, database_port: int, delay: "Synchronized[float]", ready: Event) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", database_port)
        await asyncio.gather(_pass_on(reader, requests), _pass_on(answers, writer, delay))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    ready.set()
    await server.serve_forever()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: "Synchronized[float] | None" = None
) -> None:
    """Pass on what comes until the end, each piece when it is due."""
    try:
        while data := await reader.read(CHUNK):
            if delay is not None and delay.value:
                await asyncio.sleep(delay.value)
            writer.write(data)
        writer.close()
    except ConnectionError:
        writer.close()


@contextmanager
def proxy(database_port: int) -> Iterator[tuple[int, "Synchronized[float]"]]:
    """The port of the proxy, and its delay in seconds, which can be set."""
    context = multiprocessing.get_context("spawn")
    delay, ready = context.Value("d", 0.0), context.Event()
    [port] = ports.find_free(1)
    process = context.Process(target=serve, args=(port, database_port, delay, ready), daemon=True)
    process.start()
    try:
        if not ready.wait(START_WITHIN):
            raise RuntimeError("the proxy does not start")
        yield port, delay
    finally:
        process.kill()
        process.join()


def work(clients: int, delay: str) -> Work:
    return LIST._replace(name=f"list, {clients} at once, {delay}", clients=clients)


def measure(bench: Bench, count: int, stage: Stage, signed_in: Sequence[Target]) -> list[Turn]:
    """Start all targets again, behind the proxy; the delay changes within a round.

    Args:
        signed_in: the targets as they were without it; their readers' sessions are in the database.
    """
    turns: list[Turn] = []
    with ExitStack() as stack:
        port, delay = stack.enter_context(proxy(stage.database_port))
        servers = []
        for target in signed_in:
            web_port, pid = stack.enter_context(targets.running(stage, target.name, port))
            servers.append(replace(target, port=web_port, pid=pid))
        for number in range(-1, count):  # the first one warms up
            for name, seconds in DELAYS.items():
                delay.value = seconds
                turns += bench.round(number, servers, [work(clients, name) for clients in AT_ONCE])
    return [turn for turn in turns if turn.round >= 0]


def table(turns: Sequence[Turn]) -> Iterator[str]:
    none, some = DELAYS
    for clients in AT_ONCE:
        yield f"\n### The list behind a network to PostgreSQL, {clients} at once: p50\n"
        rows = [("", f"ms at {none}", f"ms at {some}", "ratio")]
        without, behind = work(clients, none).name, work(clients, some).name
        for name in dict.fromkeys(turn.target for turn in turns):
            rows.append(
                (
                    NAMES[name],
                    written(of(turns, name, without, figures.p50)),
                    written(of(turns, name, behind, figures.p50)),
                    written(paired(turns, (name, behind), (name, without), figures.p50), 2),
                )
            )
        yield from markdown(rows)
