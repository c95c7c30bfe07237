"""Run in short the attacks of tools/bench: slow clients, races, guesses."""

import subprocess
import sys
from collections.abc import Iterator

from tools.attack.finding import Finding
from tools.bench.races import race
from tools.bench.service import ROOT
from tools.bench.site import Site
from tools.bench.slow_clients import KINDS, readers, slow_clients


def slow(site: Site, clients: int, seconds: float) -> Finding:
    finding = Finding(f"{clients} slow clients of each kind", "every other reader is answered")
    for kind in KINDS:
        with slow_clients(site.port, kind, clients):
            for taken in readers(site.port, seconds):
                finding.expect(taken is not None, kind.name)
    return finding


def races(site: Site, clients: int, rounds: int) -> Finding:
    finding = Finding(f"races of {clients} clients", "one winner each, no 5xx but a full upload's 503")
    for name, statuses, wrong in race(site, clients, rounds):
        finding.tries += statuses.total()
        finding.broken += [f"{name} {dict(statuses)}"] * wrong
    return finding


def guesses(number: int) -> Finding:
    """Run tools.bench.guesses, which has a database of its own, since it moves the clock of the buckets."""
    finding = Finding("guesses at one account in an hour", "120 reach the hash at most, the owner gets in")
    command = [sys.executable, "-m", "tools.bench.guesses", str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    finding.tries = 2 * number
    if done.returncode != 0:
        finding.broken.append((done.stdout + done.stderr).strip()[-300:])
    return finding


def attacks(site: Site, quick: bool) -> Iterator[Finding]:
    site.rows("DELETE FROM rate_limits")
    yield slow(site, *((50, 1.0) if quick else (200, 5.0)))
    yield races(site, *((5, 1) if quick else (20, 5)))
    yield guesses(200 if quick else 2000)
