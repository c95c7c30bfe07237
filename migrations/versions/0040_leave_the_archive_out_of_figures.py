"""Count archived notes apart, and leave them out of the figures of the list and of its tags, as those in the trash are.

`figures.notes`, `tag_counts` and `note_tags` are what the list shows beside its rows. `notes_stored` goes on counting
all, for the quota. Nothing is archived before the release that waits for this schema, so each of the figures is what it
was, whichever release writes: the release before leaves `archived_at` as it is.
"""

from alembic import op

from app.release.operations import excused

revision = "0040"
down_revision = "0039"
phase = "expand"

WHY = "archived_at is NULL in every row, so each condition is true of the same rows as before."

NOT_ARCHIVED = " AND archived_at IS NULL"
ARCHIVED = "deleted_at IS NULL AND archived_at IS NOT NULL"
SUM = f", coalesce(sum(sign) FILTER (WHERE {ARCHIVED}), 0)"
COUNT = f", (SELECT count(*) FROM notes WHERE user_id = owner AND {ARCHIVED})"  # noqa: S608 - of constants
# What revisions 0025 and 0033 wrote: what is written behind it now, and what follows.
OF_TRIGGERS = {
    ", deleted_at": (", archived_at", " FROM "),
    "deleted_at IS NULL": (NOT_ARCHIVED, ""),
    "(user_id, notes, notes_stored": (", notes_archived", ")"),
    "FILTER (WHERE true), 0)": (SUM, ""),
    "notes_stored = figures.notes_stored + excluded.notes_stored": (
        ", notes_archived = figures.notes_archived + excluded.notes_archived",
        ";",
    ),
}
OF_RECOUNT = {
    "FROM notes WHERE user_id = owner AND deleted_at IS NULL": (NOT_ARCHIVED, ""),
    "(tag) WHERE user_id = owner AND deleted_at IS NULL": (NOT_ARCHIVED, ""),
    "FROM results WHERE user_id = owner AND true)": (COUNT, " INTO counted"),
    ", results_stored": (", notes_archived", ") = (SELECT "),
    "counted.results_stored": (", counted.notes_archived", ")"),
}
FUNCTIONS = {
    **{f"keep_figures_of_notes_{event}()": OF_TRIGGERS for event in ("inserted", "updated", "deleted")},
    "recount_figures(bigint)": OF_RECOUNT,
}


def replace_text(function: str, pairs: list[tuple[str, str]]) -> str:
    """The function with other words in it, and the rest as it is."""
    steps = "".join(
        f"""
  IF strpos(definition, '{there}') = 0 THEN
    RAISE '{function} is not as revisions 0025 and 0033 made it.';
  END IF;
  definition := replace(definition, '{there}', '{wanted}');"""
        for there, wanted in pairs
    )
    return f"""
DO $do$
DECLARE
  definition text := pg_get_functiondef('{function}'::regprocedure);
BEGIN{steps}
  EXECUTE definition;
END
$do$"""


def upgrade() -> None:
    for function, added in FUNCTIONS.items():
        pairs = [(f"{there}{end}", f"{there}{more}{end}") for there, (more, end) in added.items()]
        with excused(WHY):
            op.execute(replace_text(function, pairs))


def downgrade() -> None:
    for function, added in FUNCTIONS.items():
        pairs = [(f"{there}{more}{end}", f"{there}{end}") for there, (more, end) in added.items()]
        op.execute(replace_text(function, pairs))
