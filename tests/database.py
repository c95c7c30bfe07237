"""What the tests ask the database."""

from sqlalchemy import func, select

from app.extensions import Base, db

KEPT_BY_TRIGGERS = ("figures", "tag_counts", "note_tags")


def row_counts() -> dict[str, int]:
    """Count the rows of each table, for "and nothing was stored".

    Without what stores that somebody tried (rate limits, events, which request deferred a job), and what triggers keep
    of the other rows.
    """
    return {
        table.name: db.session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
        if table.name not in ("rate_limits", "account_events", "job_records", *KEPT_BY_TRIGGERS)
    }
