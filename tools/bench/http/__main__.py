"""What our pages cost over HTTP, beside this service's earlier commit and peers that give the same list.

All take turns in one run: the limit (bare WSGI with one statement), Django, FastAPI with SQLAlchemy, and Flask as a
tutorial writes it; see tools/bench/peers. Exit code 1 when a request failed. Run: .venv/bin/python -m tools.bench.http
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tools.bench.http import api, delay, felt, growth, page, pages, peers, picture, report, sizes, statements, targets
from tools.bench.http.earlier import COMMIT
from tools.bench.http.figures import Turn
from tools.bench.http.load import Load
from tools.bench.http.targets import EARLIER, OURS, Stage, Target
from tools.bench.http.turns import CLIENTS, CREATE, LIST, Bench

PARTS = ("servers", "api", "pages", "growth", "felt", "delay")
PEERLESS = {"pages", "growth", "felt"}


class Length(NamedTuple):
    """How many rounds each part has, and how many seconds a turn takes."""

    seconds: float
    servers: int
    api: int
    pages: int
    growth: int
    felt: int
    delay: int


FULL = Length(0.8, servers=15, api=8, pages=4, growth=4, felt=6, delay=4)
QUICK = Length(0.3, servers=2, api=2, pages=1, growth=1, felt=1, delay=1)


def main() -> None:
    options = parse()
    length = QUICK if options.quick else FULL
    parts = options.only or (PARTS[:1] if options.quick else PARTS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("stopped"))  # and everything that was started with it
    others = psutil.cpu_percent(interval=2)
    print(f"other programs take {others:.0f} % of the machine's CPU as this begins", flush=True)
    started = time.monotonic()
    turns: list[Turn] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="http-", ignore_cleanup_errors=True)))
        load = stack.enter_context(Load())
        stage = stack.enter_context(targets.stage(folder, with_earlier=set(parts) != {"api"}))
        if EARLIER not in stage.services and set(parts) != {"api"}:
            print(f"{COMMIT} is not in the history of this checkout, so it is left out")
        bench = Bench(load, stage.database.process.pid, length.seconds)
        with ExitStack() as running:
            servers = start(running, stage, with_peers=not PEERLESS.issuperset(parts))
            turns += compare(bench, stage, servers, length, parts)
            if "api" in parts:
                turns += compare_api(bench, stage, servers, length)
        if "delay" in parts:
            turns += tell(measured := delay.measure(bench, length.delay, stage, servers), delay.table(measured))
    conditions = describe(length) | {"others": others, "seconds": round(time.monotonic() - started)}
    write(options.output, turns, stage.names, conditions)
    print(f"\n{conditions['seconds']} s; {options.output}/http.json and http.svg")


def compare(bench: Bench, stage: Stage, servers: list[Target], length: Length, parts: Sequence[str]) -> list[Turn]:
    """The parts that need no proxy; their tables are printed as soon as they are there."""
    turns: list[Turn] = []
    if "servers" in parts:
        measured = bench.rounds(length.servers, servers, (LIST, CREATE))
        for work in (LIST, CREATE):
            tell(measured, report.servers(measured, stage.names, work.name))
        tell([], report.processes(servers, statements.count(stage, bench.load, servers, [LIST])))
        tell([], report.bytes_of_list({server.name: sizes.of_list(server) for server in servers}))
        turns += measured
    own = [server for server in servers if server.name in (OURS, EARLIER)]
    if "pages" in parts and len(own) > 1:
        measured = pages.measure(bench, length.pages, own)
        turns += tell(measured, pages.table(measured, statements.count(stage, bench.load, own, pages.PAGES)))
    if "growth" in parts:
        turns += tell(measured := growth.measure(bench, length.growth, own), growth.table(measured))
    if "felt" in parts and len(own) > 1:
        tell([], felt.table(felt.measure(length.felt, own)))
    return turns


def compare_api(bench: Bench, stage: Stage, servers: list[Target], length: Length) -> list[Turn]:
    compared = [server for server in servers if server.name in (OURS, *api.PEERS)]
    tokens = api.make_tokens(stage)
    measured = api.measure(bench, length.api, stage, compared, tokens)
    trips = statements.count(stage, bench.load, compared, [api.lists(tokens)])
    return tell(measured, api.table(measured, trips))


def start(stack: ExitStack, stage: Stage, *, with_peers: bool) -> list[Target]:
    """The targets, the peers with the page that ours gives now. Raises: RuntimeError when a peer gives another page."""
    ours = stack.enter_context(targets.serving(stage, OURS))
    if with_peers:
        peers.write_templates(stage.folder, stage.ours["DATABASE_URL"], ours.readers[0])
    others = [name for name in stage.names if name == EARLIER or (with_peers and name in peers.PEERS)]
    started = [ours, *(stack.enter_context(targets.serving(stage, name)) for name in others)]
    for target in started:
        if target.name in peers.PEERS:
            page.refuse_other_size(target.name, target.readers[0].page, ours.readers[0].page)
    return started


def tell(turns: list[Turn], lines: Iterable[str]) -> list[Turn]:
    """Print a table, and return its turns. Ends the command where a request failed: such figures would flatter."""
    failed = list(report.failures(turns))
    if failed:
        sys.exit("\n".join(failed))
    print("\n".join(lines), flush=True)
    return turns


def describe(length: Length) -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "workers": peers.WORKERS,
        "clients": CLIENTS,
        "turn": length.seconds,
        "rounds": length.servers,
    }


def write(folder: Path, turns: Sequence[Turn], names: Sequence[str], conditions: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    raw = {"conditions": conditions, "turns": [report.as_json(turn) for turn in turns]}
    (folder / "http.json").write_text(json.dumps(raw, separators=(",", ":")) + "\n")
    if any(turn.work == LIST.name for turn in turns):
        (folder / "http.svg").write_text(picture.draw(turns, names, conditions))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.http", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short turns and few rounds, to try it; the servers alone")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, default=Path("instance/bench/results"), metavar="FOLDER")
    return parser.parse_args()


if __name__ == "__main__":
    main()
