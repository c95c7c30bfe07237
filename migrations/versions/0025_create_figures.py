"""Create figures, tag_counts and note_tags, and the functions that keep them.

What a page shows beside its rows, such as how many notes there are, is kept and not counted, so that no page costs more
the more its reader has. Triggers keep it (revisions 0026 to 0028): the release before writes the same tables, and knows
nothing of figures.

- `figures`: one row for each person. It is the lock of all three: whoever writes them takes it first, and holds it
  until the end of the transaction.
- `tag_counts`: the tags of a person's notes, and how many notes have each.
- `note_tags`: the notes of each tag, in the order of the list. Notes in the trash are in neither.

A trigger adds the difference that its statement made, also to figures that nobody has counted yet. recount_figures()
then replaces them by what the rows say, under the lock. It sees the rows of whoever had the lock before, and whoever
has it afterwards adds to what it wrote. So nothing is counted twice or left out, whenever it runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
phase = "expand"

# A trigger that sees all rows of a statement (transition tables) serves one event, so each has a function of its own.
EVENTS = ("inserted", "updated", "deleted")

# Table: the columns on which its figures depend. An update of any others changes no figure.
COLUMNS = {
    "notes": ("id", "user_id", "tags", "pinned", "created_at", "deleted_at"),
    "todos": ("id", "user_id", "completed", "deleted_at"),
    "results": ("id", "user_id", "status", "deleted_at"),
}
# Table: its figures, and which rows each counts.
FIGURES = {
    "notes": {"notes": "deleted_at IS NULL", "notes_stored": "true"},
    "todos": {
        "todos": "deleted_at IS NULL",
        "todos_done": "deleted_at IS NULL AND completed",
        "todos_stored": "true",
    },
    "results": {"results_done": "deleted_at IS NULL AND status = 'done'", "results_stored": "true"},
}
NOTE_TAGS = "user_id, tag, pinned, created_at, note_id"
TAGS_OF_NOTE = 'LATERAL (SELECT DISTINCT unnest(tags) COLLATE "C") AS of_note (tag)'


def changed(table: str, event: str) -> str:
    """The rows as they are, with the sign 1, and as they were, with the sign -1."""
    columns = ", ".join(COLUMNS[table])
    new, old = f"SELECT 1 AS sign, {columns} FROM new_rows", f"SELECT -1 AS sign, {columns} FROM old_rows"
    rows = {"inserted": new, "deleted": old, "updated": f"{new} UNION ALL {old}"}[event]
    return f"({rows}) AS changed"


def trigger_function(table: str, event: str) -> str:
    rows = changed(table, event)
    return f"""
CREATE FUNCTION keep_figures_of_{table}_{event}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN{skip_other_columns(table) if event == "updated" else ""}{add_to_figures(table, rows)}
  IF NOT FOUND THEN  -- the account is being deleted, and its figures with it
    RETURN NULL;
  END IF;{add_to_tags(rows, event) if table == "notes" else ""}
  RETURN NULL;
END
$$"""


def skip_other_columns(table: str) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in COLUMNS[table]) for row in ("new_rows", "old_rows"))
    return f"""
  IF NOT EXISTS (SELECT FROM new_rows JOIN old_rows USING (id) WHERE ({new}) IS DISTINCT FROM ({old})) THEN
    RETURN NULL;
  END IF;"""


def add_to_figures(table: str, rows: str) -> str:
    """Also where the difference is 0: it takes the lock."""
    names = list(FIGURES[table])
    sums = ", ".join(f"coalesce(sum(sign) FILTER (WHERE {which}), 0)" for which in FIGURES[table].values())
    added = ", ".join(f"{name} = figures.{name} + excluded.{name}" for name in names)
    return f"""
  INSERT INTO figures (user_id, {", ".join(names)})
  SELECT user_id, {sums} FROM {rows} WHERE EXISTS (SELECT FROM users WHERE users.id = user_id)
  GROUP BY user_id ORDER BY user_id
  ON CONFLICT (user_id) DO UPDATE SET {added};"""


def add_to_tags(rows: str, event: str) -> str:
    """The difference of an entry of note_tags is -1 or 1. An INSERT takes nothing away."""
    used_no_more = f"\n  DELETE FROM tag_counts WHERE user_id IN (SELECT user_id FROM {rows}) AND used <= 0;"
    return f"""
  IF NOT EXISTS (SELECT FROM {rows} WHERE tags <> '{{}}') THEN
    RETURN NULL;
  END IF;
  WITH difference AS MATERIALIZED (
    SELECT user_id, tag, pinned, created_at, id AS note_id, sum(sign) AS number
    FROM {rows}, {TAGS_OF_NOTE} WHERE deleted_at IS NULL GROUP BY {NOTE_TAGS} HAVING sum(sign) <> 0
  ), taken AS (
    DELETE FROM note_tags WHERE ({NOTE_TAGS}) IN (SELECT {NOTE_TAGS} FROM difference WHERE number < 0)
  ), added AS (
    INSERT INTO note_tags ({NOTE_TAGS}) SELECT {NOTE_TAGS} FROM difference WHERE number > 0 ON CONFLICT DO NOTHING
  )
  INSERT INTO tag_counts (user_id, tag, used)
  SELECT user_id, tag, sum(number) FROM difference GROUP BY user_id, tag HAVING sum(number) <> 0
  ON CONFLICT (user_id, tag) DO UPDATE SET used = tag_counts.used + excluded.used;\
{used_no_more if event != "inserted" else ""}"""


def recount_function() -> str:
    """It returns how many rows it put right."""
    figures = {name: (table, which) for table, named in FIGURES.items() for name, which in named.items()}
    counts = ", ".join(
        f"(SELECT count(*) FROM {table} WHERE user_id = owner AND {which})" for table, which in figures.values()
    )
    tagged = (
        f"SELECT user_id, tag, pinned, created_at, id AS note_id FROM notes, {TAGS_OF_NOTE}"
        " WHERE user_id = owner AND deleted_at IS NULL"
    )
    used = f"SELECT user_id, tag, count(*) FROM ({tagged}) AS tagged GROUP BY user_id, tag"
    return f"""
CREATE FUNCTION recount_figures(owner bigint) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE counted figures; wrong bigint := 0; step bigint;
BEGIN
  INSERT INTO figures (user_id) VALUES (owner) ON CONFLICT DO NOTHING;
  PERFORM FROM figures WHERE user_id = owner FOR NO KEY UPDATE;
  SELECT owner, {counts} INTO counted;
  UPDATE figures SET ({", ".join(figures)}) = (SELECT {", ".join(f"counted.{name}" for name in figures)})
  WHERE user_id = owner AND figures IS DISTINCT FROM counted;{COUNT_STEP}
{put_right("tag_counts", "user_id, tag, used", used)}
{put_right("note_tags", NOTE_TAGS, tagged)}
  RETURN wrong;
END
$$"""


COUNT_STEP = " GET DIAGNOSTICS step = ROW_COUNT; wrong := wrong + step;"


def put_right(table: str, columns: str, counted: str) -> str:
    there = f"SELECT {columns} FROM {table} WHERE user_id = owner"
    return f"""\
  DELETE FROM {table} WHERE ({columns}) IN ({there} EXCEPT {counted});{COUNT_STEP}
  INSERT INTO {table} ({columns}) {counted} EXCEPT {there};{COUNT_STEP}"""


def upgrade() -> None:
    op.create_table(
        "figures",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Integer(), server_default="0", nullable=False)
            for named in FIGURES.values()
            for name in named
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_figures"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_figures_user_id_users", ondelete="CASCADE"),
    )
    op.create_table(
        "tag_counts",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(collation="C"), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "tag", name="pk_tag_counts"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["figures.user_id"], name="fk_tag_counts_user_id_figures", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_tag_counts_most_used", "tag_counts", ["user_id", sa.text("used DESC"), "tag"])
    op.create_table(
        "note_tags",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.Text(collation="C"), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "tag", "pinned", "created_at", "note_id", name="pk_note_tags"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["figures.user_id"], name="fk_note_tags_user_id_figures", ondelete="CASCADE"
        ),
    )
    for table in COLUMNS:
        for event in EVENTS:
            op.execute(trigger_function(table, event))
    op.execute(recount_function())


def downgrade() -> None:
    op.execute("DROP FUNCTION recount_figures(bigint)")
    for table in COLUMNS:
        for event in EVENTS:
            op.execute(f"DROP FUNCTION keep_figures_of_{table}_{event}()")
    for table in ("note_tags", "tag_counts", "figures"):
        op.drop_table(table)
