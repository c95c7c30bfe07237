"""Interleaved measuring: in every round each target has a turn with each piece of work, in rotating order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tools.bench.http.cost import cpu_seconds
from tools.bench.http.figures import Turn
from tools.bench.http.load import Load, Plan
from tools.bench.http.targets import Target

CLIENTS = 16
FOUND, REDIRECT, MISSING = 200, 302, 404
NOTE = {"title": "A new note", "content": "a line of text " * 6}


class Work(NamedTuple):
    """
    Args:
        requests: what a target is asked for, in turn.
        expected: status.
        clients: connections at once.
    """

    name: str
    requests: Callable[[Target], Sequence[bytes]]
    expected: int = FOUND
    clients: int = CLIENTS


LIST = Work("list", lambda target: [reader.get("/notes") for reader in target.readers])
CREATE = Work("create", lambda target: [writer.post("/notes", NOTE) for writer in target.writers], REDIRECT)


@dataclass(frozen=True)
class Bench:
    """
    Args:
        database: the process of PostgreSQL that leads the others.
        seconds: how long a turn takes.
    """

    load: Load
    database: int
    seconds: float

    def rounds(self, count: int, targets: Sequence[Target], works: Sequence[Work]) -> list[Turn]:
        """Warm up by a turn that is not counted, then measure."""
        for work in works:
            for target in targets:
                self.turn(0, target, work)
        return [turn for number in range(count) for turn in self.round(number, targets, works)]

    def round(self, number: int, targets: Sequence[Target], works: Sequence[Work]) -> list[Turn]:
        first = number % len(targets)
        order = [*targets[first:], *targets[:first]]
        return [self.turn(number, target, work) for work in works for target in order]

    def turn(self, number: int, target: Target, work: Work) -> Turn:
        web, database = cpu_seconds(target.pid), cpu_seconds(self.database)
        plan = Plan(target.port, work.requests(target), work.expected, work.clients, self.seconds)
        outcome = self.load.run(plan)
        return Turn(
            target.name,
            work.name,
            number,
            outcome.elapsed,
            outcome.latencies,
            outcome.failed,
            outcome.received,
            cpu_seconds(target.pid) - web,
            cpu_seconds(self.database) - database,
            outcome.cpu,
        )
