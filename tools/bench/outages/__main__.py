"""Cause outages of the database and of the bucket, for readers and for the worker, and check what is promised.

Exit code 1 when a promise is broken.
Run: .venv/bin/python -m tools.bench.outages [--seconds 60] [--quick] [--only "database frozen"]
"""

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any

from tests.samples import brought
from tools.bench.load import p95
from tools.bench.outages import bucket, database
from tools.bench.site import site

# Promises; seconds.
ANSWERED_WITHIN = 5.0
WELL_WITHIN = 3.0
HEALTHY_WITHIN = 1.0
UPLOAD_WITHIN = 8.0
NEXT_JOB_WITHIN = 60.0
ENDED_WITHIN = 24.5  # a platform kills after 30
SLOWER_AT_MOST = 2.0  # times the p95 of pages before the outage

OF_WORKERS = {name: module for module in brought("outages") for name in module.KINDS}
KINDS = [*database.KINDS, *bucket.KINDS, *OF_WORKERS]

Broken = list[str]


def told(name: str, figures: dict[str, object], promises: dict[str, bool]) -> Broken:
    """Print what was measured in an outage, and return the promises that were broken."""
    print(f"{name}: {', '.join(f'{what} {value}' for what, value in figures.items())}", flush=True)
    return [f"{name}: {promise}" for promise, holds in promises.items() if not holds]


def show_database(outcome: database.Outcome) -> Broken:
    figures = {
        "requests": len(outcome.answers),
        "bare 500s": len(outcome.bare),
        "503s": outcome.unavailable,
        "slowest": f"{outcome.slowest:.2f} s",
        "/healthz": f"{outcome.slowest_health:.2f} s",
        "well after": f"{outcome.well_after:.2f} s",
    }
    promises = {
        f"0 bare 500s, not {dict(Counter(outcome.bare))}": not outcome.bare,
        f"every answer within {ANSWERED_WITHIN} s: {outcome.slowest_path}": outcome.slowest <= ANSWERED_WITHIN,
        "Retry-After with every 503": not outcome.no_retry_after,
        f"well again within {WELL_WITHIN} s": outcome.well_after <= WELL_WITHIN,
        f"/healthz 200 within {HEALTHY_WITHIN} s": outcome.slowest_health <= HEALTHY_WITHIN and not outcome.unhealthy,
    }
    return told(outcome.name, figures, promises)


def show_bucket(outcome: bucket.Outcome) -> Broken:
    statuses = dict(Counter(answer.status for answer in outcome.uploads))
    slowest = max(answer.seconds for answer in outcome.uploads)
    failed = sum(answer.status != 200 for answer in (*outcome.before, *outcome.during))
    figures = {
        "pages": len(outcome.during),
        "their p95": f"{1000 * p95(outcome.before):.0f} ms before, {1000 * p95(outcome.during):.0f} ms",
        "failed": failed,
        "uploads": statuses,
        "slowest upload": f"{slowest:.2f} s",
        "orphans": outcome.orphans,
    }
    promises = {
        "every page is answered": not failed,
        f"p95 of pages at most {SLOWER_AT_MOST} ×": outcome.ratio <= SLOWER_AT_MOST,
        f"uploads are 503 (or 429), not {statuses}": set(statuses) <= {429, 503},
        f"uploads are answered within {UPLOAD_WITHIN} s": slowest <= UPLOAD_WITHIN,
        "0 orphans": outcome.orphans == 0,
    }
    return told(outcome.name, figures, promises)


def show_worker(outcome: Any) -> Broken:
    figures = {
        "next job after": f"{outcome.next_after:.1f} s",
        "lost": outcome.lost,
        "doubled": outcome.doubled,
        "ran twice": outcome.again,
        "SIGTERM ends it after": f"{outcome.ended_after:.1f} s",
    }
    promises = {
        f"the next job is done within {NEXT_JOB_WITHIN} s": outcome.next_after <= NEXT_JOB_WITHIN,
        "0 jobs lost": not outcome.lost,
        "0 effects doubled": not outcome.doubled,
        f"SIGTERM ends it within {ENDED_WITHIN} s": outcome.ended_after <= ENDED_WITHIN,
    }
    return told(outcome.name, figures, promises)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long each outage lasts (60)")
    parser.add_argument("--quick", action="store_true", help="5 seconds")
    parser.add_argument("--only", action="append", choices=KINDS, help="some of them")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    kinds = options.only or KINDS
    broken: Broken = []
    with ExitStack() as stack:
        measured = stack.enter_context(site()) if set(kinds) - OF_WORKERS.keys() else None
        for number, name in enumerate(kinds):
            if name in OF_WORKERS:
                broken += show_worker(OF_WORKERS[name].measure(name, seconds))
            elif measured and name in database.KINDS:
                broken += show_database(database.measure(measured, name, seconds, number))
            elif measured:
                broken += show_bucket(bucket.measure(measured, name, seconds, number))
    for promise in broken:
        print(f"BROKEN  {promise}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
