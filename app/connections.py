"""How many connections to the database each process of the Procfile holds, for `flask release connections`."""

from collections.abc import Mapping
from typing import Any

from app.release import Processes

OF_QUEUE = 2  # direct ones: one asks for jobs, the other listens for new ones, see app/jobs/worker.py


def of_processes(config: Mapping[str, Any]) -> tuple[Processes, ...]:
    """Count the connections of each process: one a thread, to the pooler for pages and jobs where there is one."""
    workers, threads, jobs = (config[name] for name in ("WEB_CONCURRENCY", "WEB_THREADS", "WORKER_THREADS"))
    web = f"WEB_CONCURRENCY × WEB_THREADS = {workers} × {threads}"
    if config["MIGRATION_DATABASE_URI"] == config["SQLALCHEMY_DATABASE_URI"]:
        worker = f"WORKER_THREADS + {OF_QUEUE} of the queue = {jobs} + {OF_QUEUE}"
        return Processes("web", workers * threads, 0, web), Processes("worker", jobs + OF_QUEUE, 0, worker)
    return (
        Processes("web", 0, workers * threads, f"the pooler has {web}"),
        Processes("worker", OF_QUEUE, jobs, f"{OF_QUEUE} of the queue; the pooler has WORKER_THREADS = {jobs}"),
    )
