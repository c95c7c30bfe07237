"""What the tests ask the database."""

from sqlalchemy import func, select

from app.extensions import Base, db


def row_counts() -> dict[str, int]:
    """table: rows, for "and nothing was stored". Without the rate limits: they store that somebody tried."""
    return {
        table.name: db.session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
        if table.name != "rate_limits"
    }
