"""Compare the CPU time of files made to keep a decoder busy with that of the largest honest photo.

That is what a camera can write of all that we accept: 25 megapixels, progressive, full colour, 5 MiB. Each file is
named with its ratio. One above MOST is exit code 1. A refused file counts as well: what it took to refuse it.
Run: .venv/bin/python -m tools.bench.photos
"""

import statistics
import sys
import time
from contextlib import suppress

from app.photos.containers import PhotoRejected
from app.photos.decoding import square_webp
from tests.photos.hostile_photos import costly_photos, largest_honest_photo

TRIES = 3
MOST = 2.0  # times the honest photo


def cpu(data: bytes) -> tuple[float, str]:
    """Return the median CPU seconds of TRIES, and what came of the file."""
    taken, outcome = [], "accepted"
    for _ in range(TRIES):
        start = time.process_time()
        try:
            square_webp(data)
        except PhotoRejected as error:
            outcome = str(error.reason)
        taken.append(time.process_time() - start)
    return statistics.median(taken), outcome


def main() -> None:
    with suppress(PhotoRejected):
        square_webp(b"\xff\xd8\xff")  # imports what is imported on first use
    honest, _ = cpu(largest_honest_photo())
    print(f"{'honest photo: 25 megapixels, progressive, 5 MiB':55} {honest * 1000:8.0f} ms 1.00")
    worst = 0.0
    for upload in costly_photos():
        seconds, outcome = cpu(upload.data)
        print(f"{upload.name:55} {seconds * 1000:8.0f} ms {seconds / honest:4.2f}  {outcome}")
        worst = max(worst, seconds / honest)
    sys.exit(1 if worst > MOST else 0)


if __name__ == "__main__":
    main()
