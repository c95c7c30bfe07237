"""Outages of the database and of the bucket, for readers and for the worker, and whether what is promised holds.

Exit code 1 when a promise is broken.
Run: .venv/bin/python -m tools.bench.outages [--seconds 60] [--quick] [--only "database frozen"]
"""

import argparse
import sys
from collections import Counter

from tools.bench.load import p95
from tools.bench.outages import bucket, database, visits, worker
from tools.bench.site import site

# Promises; seconds.
ANSWERED_WITHIN = 5.0
WELL_WITHIN = 3.0
HEALTHY_WITHIN = 1.0
UPLOAD_WITHIN = 8.0
NEXT_JOB_WITHIN = 60.0
ENDED_WITHIN = 24.5  # a platform kills after 30
SLOWER_AT_MOST = 2.0  # times the p95 of pages before the outage

KINDS = [*database.KINDS, *bucket.KINDS, *worker.KINDS]

Broken = list[str]


def show_database(outcome: visits.Outcome) -> Broken:
    print(
        f"{outcome.name:28} {len(outcome.answers):8} {len(outcome.bare):8} {outcome.unavailable:6}"
        f" {outcome.slowest:9.2f} {outcome.no_retry_after:14} {outcome.slowest_health:9.2f} {outcome.well_after:11.2f}",
        flush=True,
    )
    promises = {
        f"0 bare 500s, not {dict(Counter(outcome.bare))}": not outcome.bare,
        f"every answer within {ANSWERED_WITHIN} s: {outcome.slowest_path}": outcome.slowest <= ANSWERED_WITHIN,
        "Retry-After with every 503": not outcome.no_retry_after,
        f"well again within {WELL_WITHIN} s": outcome.well_after <= WELL_WITHIN,
        f"/healthz 200 within {HEALTHY_WITHIN} s": outcome.slowest_health <= HEALTHY_WITHIN and not outcome.unhealthy,
    }
    return [f"{outcome.name}: {promise}" for promise, holds in promises.items() if not holds]


def show_bucket(outcome: bucket.Outcome) -> Broken:
    statuses = dict(Counter(answer.status for answer in outcome.uploads))
    slowest = max(answer.seconds for answer in outcome.uploads)
    failed = sum(answer.status != 200 for answer in (*outcome.before, *outcome.during))
    print(
        f"{outcome.name:28} {len(outcome.during):8} {p95(outcome.before) * 1000:9.0f} {p95(outcome.during) * 1000:9.0f}"
        f" {outcome.ratio:6.2f} {failed:7} {slowest:11.2f} {outcome.orphans:8}  {statuses}",
        flush=True,
    )
    promises = {
        "every page is answered": not failed,
        f"p95 of pages at most {SLOWER_AT_MOST} ×": outcome.ratio <= SLOWER_AT_MOST,
        f"uploads are 503 (or 429), not {statuses}": set(statuses) <= {429, 503},
        f"uploads are answered within {UPLOAD_WITHIN} s": slowest <= UPLOAD_WITHIN,
        "0 orphans": outcome.orphans == 0,
    }
    return [f"{outcome.name}: {promise}" for promise, holds in promises.items() if not holds]


def show_worker(outcome: worker.Outcome) -> Broken:
    print(
        f"{outcome.name:28} {outcome.next_after:14.1f} {outcome.lost:6} {outcome.doubled:8} {outcome.again:9}"
        f" {outcome.ended_after:13.1f}",
        flush=True,
    )
    promises = {
        f"the next job is done within {NEXT_JOB_WITHIN} s": outcome.next_after <= NEXT_JOB_WITHIN,
        "0 jobs lost": not outcome.lost,
        "0 effects doubled": not outcome.doubled,
        f"SIGTERM ends it within {ENDED_WITHIN} s": outcome.ended_after <= ENDED_WITHIN,
    }
    return [f"{outcome.name}: {promise}" for promise, holds in promises.items() if not holds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long each outage lasts (60)")
    parser.add_argument("--quick", action="store_true", help="5 seconds")
    parser.add_argument("--only", action="append", choices=KINDS, help="some of them")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    kinds = options.only or KINDS

    broken = [*_of_the_site(kinds, seconds), *_of_the_worker(kinds, seconds)]
    for promise in broken:
        print(f"BROKEN  {promise}")
    sys.exit(1 if broken else 0)


def _of_the_site(kinds: list[str], seconds: float) -> Broken:
    broken: Broken = []
    if not set(kinds) - worker.KINDS.keys():
        return broken
    with site() as measured:
        asked = [name for name in database.KINDS if name in kinds]
        if asked:
            print(
                f"{'outage':28} {'requests':>8} {'bare 500':>8} {'503':>6} {'slowest s':>9} {'no Retry-After':>14}"
                f" {'healthz s':>9} {'well after s':>12}"
            )
        for number, name in enumerate(asked):
            broken += show_database(database.measure(measured, name, seconds, number))
        asked = [name for name in bucket.KINDS if name in kinds]
        if asked:
            print(
                f"\n{'outage':28} {'pages':>8} {'p95 before':>9} {'p95 ms':>8} {'ratio':>6} {'failed':>7}"
                f" {'upload s':>11} {'orphans':>8}  uploads"
            )
        for number, name in enumerate(asked):
            broken += show_bucket(bucket.measure(measured, name, seconds, number))
    return broken


def _of_the_worker(kinds: list[str], seconds: float) -> Broken:
    broken: Broken = []
    asked = [name for name in worker.KINDS if name in kinds]
    if asked:
        print(
            f"\n{'outage':28} {'next job after':>14} {'lost':>6} {'doubled':>8} {'ran twice':>9} {'SIGTERM ends s':>13}"
        )
    for name in asked:
        broken += show_worker(worker.measure(name, seconds))
    return broken


if __name__ == "__main__":
    main()
