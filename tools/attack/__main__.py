"""Attack a site that is started for it, on free ports, and print one table. Exit code 1 when a promise is broken.

Run: make attack, or make attack ARGS=--quick
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

from tools.attack import fuzzing, load, owners, protocol, shares, uploads
from tools.attack.finding import Finding
from tools.bench.site import Site, site

ATTACKS: dict[str, Callable[[Site, bool], Iterator[Finding]]] = {
    "protocol": protocol.attacks,
    "owners": owners.attacks,
    "shares": shares.attacks,
    "fuzzing": fuzzing.attacks,
    "uploads": uploads.attacks,
    "load": load.attacks,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample of each, in two minutes")
    parser.add_argument("--only", action="append", choices=ATTACKS, help="some of them")
    options = parser.parse_args()
    broken = 0
    began = time.monotonic()
    print(f"{'':7} {'attack':34} {'tries':>6}  promise: what was found")
    with site(TRUSTED_HOSTS="127.0.0.1") as attacked:
        for name in options.only or ATTACKS:
            for finding in ATTACKS[name](attacked, options.quick):
                print(finding.row(), flush=True)
                broken += bool(finding.broken)
    print(f"{broken} broken, after {time.monotonic() - began:.0f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
