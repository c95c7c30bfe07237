"""The list with a network between the service and PostgreSQL, where every round trip takes longer."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from tools.bench.http import figures, targets
from tools.bench.http.figures import Turn, of, paired
from tools.bench.http.proxy import proxy
from tools.bench.http.report import NAMES, written
from tools.bench.http.targets import Stage, Target
from tools.bench.http.turns import CLIENTS, LIST, Bench, Work
from tools.bench.release.report import markdown

DELAYS = {"0 ms": 0.0, "2 ms": 0.002}  # seconds, added to a round trip
AT_ONCE = (1, CLIENTS)


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
