"""Check kept figures against the rows that they count, for some people every night, and correct what is wrong.

Nothing should ever be wrong. What could be: rows that somebody changed with triggers switched off, as a restore may.
"""

import logging
import time

from sqlalchemy import text

from app.extensions import db
from app.jobs.queue import nightly

SECONDS = 60.0  # a night; enough for some ten thousand typical people

# Who was counted longest ago. The owner's row is locked before the figures, as everywhere. One whose row is locked is
# passed over, and comes the next night.
_CHECK_ONE = text(
    """
    WITH due AS MATERIALIZED (
      SELECT id FROM users WHERE figures_counted_at < now() - interval '12 hours'
      ORDER BY figures_counted_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE users SET figures_counted_at = now() FROM due WHERE users.id = due.id
    RETURNING recount_figures(users.id) AS wrong
    """
)

log = logging.getLogger(__name__)


@nightly("figures.check")
def check_nightly(timestamp: int) -> None:
    check_figures()


def check_figures(seconds: float = SECONDS) -> int:
    """Check people, each in a transaction, until the time is over or all were checked today. Return how many are wrong.

    Who has many notes is kept from writing for as long as counting them takes.
    """
    checked = wrong = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        of_one = db.session.scalar(_CHECK_ONE)
        db.session.commit()
        if of_one is None:
            break
        checked, wrong = checked + 1, wrong + of_one
    log.log(logging.WARNING if wrong else logging.INFO, "figures: checked=%d wrong=%d", checked, wrong)
    return wrong
