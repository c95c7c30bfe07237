"""Long backfills, which jobs of the project's queue fill after the release: one batch a job, without a deadline.

store.py is where they are recorded, worker.py does the work, guards.py refuses a step that comes too early.
"""

from online_migrations import operations  # noqa: F401 - which begin them; so each module here can be imported first
from online_migrations.backfills.worker import requeue_lost, run_batch

__all__ = ["requeue_lost", "run_batch"]
