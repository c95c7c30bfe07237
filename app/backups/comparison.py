"""Compare the rows of a restored dump with those of the live database by their keys, and its photos with the bucket.

Lost is a row of the live database that is older than the dump and not in it. `created_at`, which the database sets,
tells how old a row is, and for tables into which people import its id. Rows that the dump has and the live database has
not were deleted since, or lost there: no comparison can tell, so they are counted and no loss.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from app import storage
from app.jobs.queue import TABLES as QUEUE_TABLES
from app.photos.service import FOLDER, NAME_LENGTH

USERS = "users"  # the demo account is given a date
STREAMED = {"stream_results": True, "yield_per": 20_000}  # so that memory does not grow with the tables
NAMED = 5  # keys, or accounts, that a sentence lists

# Not UNLOGGED ones, which any crash empties.
_TABLES = text(
    """
SELECT c.relname AS name, quote_ident(c.relname) AS quoted,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'created_at' AND NOT a.attisdropped)
    AS is_dated,
  (SELECT pg_get_serial_sequence(quote_ident(c.relname), 'id') FROM pg_attribute a
   WHERE a.attrelid = c.oid AND a.attname = 'id' AND NOT a.attisdropped) AS sequence
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
ORDER BY c.relname
""".replace("::", r"\:\:")
)


Report = tuple[str, str | None]  # a line, and the sentence of a loss


def tables(connection: Connection) -> dict[str, Row[Any]]:
    return {table.name: table for table in connection.execute(_TABLES)}


def compare(live: Connection, restored: Connection, made_at: datetime, imported: Collection[str]) -> Iterator[Report]:
    """Report on each table that both have. `live` is in a transaction that sees one moment (REPEATABLE READ).

    People import rows with dates of their own into the tables `imported`. Of them, rows above the sequence that stands
    in the dump are younger than the dump, whatever their dates say.
    """
    live_tables, restored_tables = tables(live), tables(restored)
    for name in sorted(live_tables.keys() & restored_tables.keys()):
        table = restored_tables[name]
        # Jobs come and go; tables without an id are counted from others (app/figures.py), the tools' own, or a history,
        # of which each edit of a note drops a row.
        if name.startswith(QUEUE_TABLES) or table.sequence is None:
            counted = restored.scalar(text(f"SELECT count(*) FROM {table.quoted}"))  # noqa: S608 - quoted by the server
            yield f"{name}: {counted:,} rows", None
        else:
            has_own_dates = name in imported or name == USERS
            yield _compare_keys(live, restored, table, made_at, has_own_dates)


def _compare_keys(
    live: Connection, restored: Connection, table: Row[Any], made_at: datetime, has_own_dates: bool
) -> Report:
    highest = restored.scalar(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table.sequence}"))  # noqa: S608
    is_older = ["created_at < :made_at"] if table.is_dated else []
    if not table.is_dated or has_own_dates:
        is_older.append("id <= :highest")
    live_keys = text(f"SELECT id, {' AND '.join(is_older)} AS is_older FROM {table.quoted} ORDER BY id")  # noqa: S608
    dumped_keys = text(f"SELECT id, NULL AS is_older FROM {table.quoted} ORDER BY id")  # noqa: S608
    bounds = {"made_at": made_at, "highest": highest}
    both = merge(
        live.execute(live_keys, bounds, execution_options=STREAMED),
        restored.execute(dumped_keys, execution_options=STREAMED),
        key=itemgetter(0),
    )
    dumped = gone = new = lost_count = 0
    lost: list[int] = []
    for key, rows in groupby(both, key=itemgetter(0)):
        ages = [is_older for _, is_older in rows]  # of the live row, if there is one; None of the dumped one
        dumped += None in ages
        gone += ages == [None]
        new += ages == [False]
        if ages == [True]:
            lost_count += 1
            lost += [key] if len(lost) < NAMED else []
    line = f"{table.name}: {dumped:,} rows, {lost_count:,} lost, {gone:,} gone since, {new:,} new since"
    ids = f"ids {_listed(lost, lost_count)}"
    older = f"{table.name}: {lost_count} rows that are older than the dump are not in it, {ids}."
    return line, older if lost else None


def _listed(first: list[int], count: int) -> str:
    more = count - len(first)
    return ", ".join(map(str, first)) + (f" and {more:,} more" if more else "")


# In the scratch database, so that our memory does not grow with the bucket. By name, since a bucket may have moved.
_NAMES = text("CREATE TEMPORARY TABLE bucket_names (name text)")
_ADD = text("INSERT INTO bucket_names SELECT unnest(CAST(:names AS text[]))")
_SHOWN = text("SELECT count(*) FROM users WHERE image_url IS NOT NULL")
_MISSING = text(
    "SELECT id, image_url FROM users WHERE image_url IS NOT NULL AND NOT EXISTS"
    " (SELECT FROM bucket_names WHERE name = right(image_url, :length)) ORDER BY id"
).bindparams(length=NAME_LENGTH)
_STILL_SHOWN = text("SELECT id FROM users WHERE (id, image_url) IN :photos").bindparams(
    bindparam("photos", expanding=True)
)


def compare_photos(live: Connection, restored: Connection) -> Report:
    """Compare the photo URLs of the dump with the objects in the bucket. Raises: StorageUnavailable.

    Lost is one without an object that the live database shows too; others were replaced or deleted since the dump.
    """
    restored.execute(_NAMES)
    for page in storage.list_objects(FOLDER):
        restored.execute(_ADD, {"names": [key[-NAME_LENGTH:] for key in page]})
    missing = restored.execute(_MISSING, execution_options={**STREAMED, "yield_per": 1_000})
    count = lost_count = 0
    lost: list[int] = []
    for batch in missing.partitions():
        still_shown = sorted(live.scalars(_STILL_SHOWN, {"photos": [(row.id, row.image_url) for row in batch]}))
        count += len(batch)
        lost_count += len(still_shown)
        lost += still_shown[: NAMED - len(lost)]
    line = f"photos: {restored.scalar(_SHOWN)} in the dump, {count - lost_count} of them replaced or deleted since"
    loss = f"{lost_count} photos that are shown have no object in the bucket: accounts {_listed(lost, lost_count)}."
    return line, loss if lost else None
