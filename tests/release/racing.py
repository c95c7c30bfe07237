"""A history whose every step would be seen if it ran twice, and what is left of it after a race."""

from tests.release.checkout import Checkout
from tests.release.sessions import Sessions

RACERS = 5
STEPS = ("0002", "0003", "0004", "0005", "0006")
TABLES = "CREATE TABLE counters (n int); INSERT INTO counters VALUES (0); CREATE TABLE effects (step text)"

# Committed at once, so no rollback of a loser takes it back.
EFFECT = """
with op.get_context().autocommit_block():
    op.execute("UPDATE counters SET n = n + 1")
    op.execute("INSERT INTO effects VALUES ('{step}')")
"""
INDEX = "create_index_online('ix_counters_{step}', 'counters', ['n'])"


def write_history(checkout: Checkout, *, with_indexes: bool) -> None:
    """0001 creates the tables; each of STEPS counts itself, and builds an index when told to."""
    checkout.write_revision("0001", f"op.execute({TABLES!r})")
    for step in STEPS:
        checkout.write_revision(step, (EFFECT + (INDEX if with_indexes else "")).format(step=step))


def race(checkout: Checkout, seconds: float = 120) -> list[int]:
    """The exit codes of RACERS releases that were started at once."""
    racers = [checkout.start("db", "upgrade", "-x", f"deadline={seconds:.0f}") for _ in range(RACERS)]
    return [racer.wait(seconds + 30) for racer in racers]


def faults(sessions: Sessions, *, with_indexes: bool) -> list[str]:
    """What is wrong after a race; nothing when each step ran exactly once."""
    found = []
    if sessions.revision() != [STEPS[-1]]:
        found.append(f"the database is at {sessions.revision()}")
        return found
    if (n := sessions.scalar("SELECT n FROM counters")) != len(STEPS):
        found.append(f"{len(STEPS)} steps counted {n}")
    if (steps := sessions.column("SELECT step FROM effects ORDER BY step")) != list(STEPS):
        found.append(f"steps ran: {steps}")
    valid = sessions.scalar(
        "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass('counters') AND indisvalid AND indisready"
    )
    every = sessions.scalar("SELECT count(*) FROM pg_index WHERE indrelid = to_regclass('counters')")
    if (valid, every) != ((len(STEPS), len(STEPS)) if with_indexes else (0, 0)):
        found.append(f"{every} indexes, {valid} of them valid")
    return found
