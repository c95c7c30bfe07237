"""Long backfills, which jobs of the project's queue fill after the release: one batch a job, without a deadline.

table.py is where they are recorded, batches.py does the work, guards.py refuses a step that comes too early.
"""
