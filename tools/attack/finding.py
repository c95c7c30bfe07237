"""Note what an attack promised and found."""

from collections import Counter
from dataclasses import dataclass, field

from tests.samples import samples
from tools.bench.client import Answer
from tools.bench.site import Site

LEAKS = ("Traceback (most recent call last)", "psycopg2.", "sqlalchemy.", "werkzeug.exceptions")
SLOW = 10.0  # seconds; more than any page may take, also on a busy machine
SHOWN = 3  # of what is broken


@dataclass
class Finding:
    """
    Args:
        attack: its name in the table.
        promise: what has to hold for every try.
        broken: the tries for which it did not hold, each in a few words.
    """

    attack: str
    promise: str
    tries: int = 0
    broken: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Count a try."""
        self.tries += 1
        if not holds:
            self.broken.append(what)

    def expect_page(self, answer: Answer, what: str, *, also: bool = True) -> None:
        """Count a try, for which a page of ours and no 5xx is promised, soon and without a trace of the inside."""
        leaks = [leak for leak in LEAKS if leak in answer.text]
        good = answer.is_ours and answer.status < 500 and not leaks and answer.seconds < SLOW and also
        self.expect(good, f"{answer.status} {what} {' '.join(leaks)}".strip())

    def row(self) -> str:
        kinds = Counter(self.broken)
        said = f"{len(self.broken)} broken: {'; '.join(list(kinds)[:SHOWN])}" if self.broken else "as promised"
        return f"{'BROKEN' if self.broken else 'ok':7} {self.attack:34} {self.tries:6}  {self.promise}: {said}"


def fingerprint(site: Site, user_id: int) -> list[tuple[object, ...]]:
    """Return what a user has. It differs after any change of a row."""
    tables = {
        "users": "id",
        **dict.fromkeys(("notes", "note_shares", "todos", *(each.table for each in samples())), "user_id"),
    }
    digest = "count(*), md5(string_agg(found::text, '' ORDER BY found::text))"
    selects = (f"SELECT {digest} FROM {table} found WHERE {owner} = {user_id}" for table, owner in tables.items())
    return [row for select in selects for row in site.rows(select)]
