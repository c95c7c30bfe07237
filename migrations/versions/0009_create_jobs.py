"""Create the queue of background jobs.

The tables, functions and triggers are procrastinate's own; 0009_create_jobs.sql holds them as its version 3.10.0 has
them, so that this step stays what it is when the package moves on. A newer version comes with a revision that runs what
it lists under sql/migrations; until then `tests/jobs/test_schema.py` is red.
"""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
phase = "expand"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    op.execute("DROP FUNCTION procrastinate_fetch_job_v2")  # returns a row of a table
    op.execute(
        "DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers"
    )
    op.execute(
        "DROP FUNCTION procrastinate_defer_jobs_v1, procrastinate_defer_periodic_job_v2,"
        " procrastinate_finish_job_v1, procrastinate_cancel_job_v1, procrastinate_retry_job_v1,"
        " procrastinate_retry_job_v2, procrastinate_notify_queue_job_inserted_v1,"
        " procrastinate_notify_queue_abort_job_v1, procrastinate_trigger_function_status_events_insert_v1,"
        " procrastinate_trigger_function_status_events_update_v1, procrastinate_trigger_function_scheduled_events_v1,"
        " procrastinate_trigger_abort_requested_events_procedure_v1, procrastinate_unlink_periodic_defers_v1,"
        " procrastinate_register_worker_v1, procrastinate_unregister_worker_v1, procrastinate_update_heartbeat_v1,"
        " procrastinate_prune_stalled_workers_v1"
    )
    op.execute("DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_status, procrastinate_job_event_type")
