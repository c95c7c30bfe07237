"""The nightly job of figures: check some."""

from app.figures import check
from app.jobs.queue import nightly


@nightly("figures.check")
def check_figures(timestamp: int) -> None:
    check.check_figures()
