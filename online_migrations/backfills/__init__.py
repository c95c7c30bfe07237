"""Long backfills, which jobs of the project's queue fill after the release: one batch a job, without a deadline."""

from online_migrations.backfills.worker import requeue_lost, run_batch

__all__ = ["requeue_lost", "run_batch"]
