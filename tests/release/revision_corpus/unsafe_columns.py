"""Unsafe: a column that the live release reads and writes goes, or gets another name."""

from app.release.ledger import CONTRACT
from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import column, exists, lacks

DROP_COLUMN = Danger(
    "a column is dropped",
    names=("notes", "tags"),
    harm=lacks(column("notes", "tags")),
    instead="retire_column_online",
    spellings={
        "op": 'op.drop_column("notes", "tags")',
        "keyword arguments": 'op.drop_column(table_name="notes", column_name="tags", if_exists=True)',
        "batch_alter_table": """
            with op.batch_alter_table("notes") as notes:
                notes.drop_column("tags")
            """,
        "in a loop": """
            for table, columns in {"notes": ["tags"]}.items():
                for column in columns:
                    op.drop_column(table, column)
            """,
        "only when it is there": """
            if "tags" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("notes")}:
                op.drop_column("notes", "tags")
            """,
        "SQL": 'op.execute("ALTER TABLE notes DROP COLUMN tags")',
        "lower case, quoted, with its schema": """op.execute('alter table "public"."notes" drop column "tags"')""",
        "comments in between": r'op.execute("ALTER /* tidy */ TABLE notes -- at last\n DROP tags CASCADE")',
        "IF EXISTS and ONLY": 'op.execute("ALTER TABLE IF EXISTS ONLY notes DROP COLUMN IF EXISTS tags RESTRICT")',
        "IF NOT EXISTS before it": """
            op.execute("ALTER TABLE notes ADD COLUMN IF NOT EXISTS tags text[]")
            op.execute("ALTER TABLE notes DROP COLUMN tags")
            """,
        "with another action": 'op.execute("ALTER TABLE notes ADD COLUMN labels text[], DROP COLUMN tags")',
        "between harmless statements": (
            "op.execute(\"SELECT 1; COMMENT ON TABLE notes IS 'of users'; ALTER TABLE notes DROP tags; SELECT 2\")"
        ),
        "f-string": """
            table = "notes"
            op.execute(f"ALTER TABLE {table} DROP COLUMN tags")
            """,
        "%-formatting": 'op.execute("ALTER TABLE %s DROP COLUMN %s" % ("notes", "tags"))',
        "sa.DDL": 'op.execute(sa.DDL("ALTER TABLE %(table)s DROP COLUMN tags", context={"table": "notes"}))',
        "sa.text on the connection": 'op.get_bind().execute(sa.text("ALTER TABLE notes DROP COLUMN tags"))',
        "exec_driver_sql": 'op.get_bind().exec_driver_sql("ALTER TABLE notes DROP COLUMN tags")',
        "in a savepoint": """
            with op.get_bind().begin_nested():
                op.execute("ALTER TABLE notes DROP COLUMN tags")
            """,
        "in an autocommit_block": """
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE notes DROP COLUMN tags")
            """,
        "in a DO block, put together": in_do_block("ALTER TABLE notes DROP COLUMN tags"),
        "in a DO block, found in the catalog": """
            op.execute(
                "DO $$ DECLARE gone record; BEGIN FOR gone IN SELECT attrelid::regclass AS owner, attname"
                " FROM pg_attribute WHERE attname = 'tags' AND attrelid = to_regclass('notes')"
                " LOOP EXECUTE format('ALTER TABLE %s DROP COLUMN %I', gone.owner, gone.attname); END LOOP; END $$"
            )
            """,
        "in a function that is called": """
            op.execute(
                "CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS"
                " $$ BEGIN ALTER TABLE notes DROP COLUMN tags; END $$"
            )
            op.execute("SELECT tidy()")
            op.execute("DROP FUNCTION tidy()")
            """,
        "in another search_path": """
            op.execute("SET LOCAL search_path TO archive, public")
            op.execute("ALTER TABLE notes DROP COLUMN tags")
            """,
        "by our own operation": 'drop_column_contract("notes", "tags")',
        "by our own operation, with a keyword": 'drop_column_contract("notes", column="tags")',
    },
)

DROP_MAPPED_COLUMN = Danger(
    "a contract drops a column that the live release maps",
    names=("notes", "tags"),
    harm=lacks(column("notes", "tags")),
    phase=CONTRACT,
    spellings={
        "op": 'op.drop_column("notes", "tags")',
        "SQL": 'op.execute("ALTER TABLE notes DROP COLUMN tags")',
        "by our own operation": 'drop_column_contract("notes", "tags")',
        "retired in the same revision": """
            retire_column_online("notes", "tags")
            drop_column_contract("notes", "tags")
            """,
        "beside another step": """
            op.execute("CREATE TYPE tag_list AS (tags text[])")
            op.execute("ALTER TABLE notes DROP tags")
            """,
    },
)

REPLACE_COLUMN = Danger(
    "a column is recreated, and what stood in it is lost",
    names=("notes", "tags"),
    harm="SELECT NOT EXISTS (SELECT FROM notes WHERE tags <> '{}')",
    spellings={
        "op": """
            op.drop_column("notes", "tags")
            op.add_column("notes", sa.Column("tags", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
            """,
        "one statement": """
            op.execute("ALTER TABLE notes DROP COLUMN tags, ADD COLUMN tags text[] NOT NULL DEFAULT '{}'")
            """,
        "by another name": """
            op.execute("ALTER TABLE notes ADD COLUMN labels text[] NOT NULL DEFAULT '{}'")
            op.execute("ALTER TABLE notes DROP COLUMN tags")
            op.execute("ALTER TABLE notes RENAME COLUMN labels TO tags")
            """,
        "our operations": """
            drop_column_contract("notes", "tags")
            add_column_online("notes", sa.Column("tags", sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
            """,
    },
)

RENAME_COLUMN = Danger(
    "a column is renamed",
    names=("notes", "title"),
    harm=lacks(column("notes", "title")),
    spellings={
        "op": 'op.alter_column("notes", "title", new_column_name="heading")',
        "keyword arguments": (
            'op.alter_column(column_name="title", new_column_name="heading",'
            ' existing_type=sa.String(50), existing_nullable=False, table_name="notes")'
        ),
        "batch_alter_table": """
            with op.batch_alter_table("notes") as notes:
                notes.alter_column("title", new_column_name="heading")
            """,
        "SQL": 'op.execute("ALTER TABLE notes RENAME COLUMN title TO heading")',
        "quoted, without the word COLUMN": """op.execute('alter table public."notes" rename "title" to "heading"')""",
        "in a DO block": in_do_block("ALTER TABLE notes RENAME title TO heading"),
        "str.format": 'op.execute("ALTER TABLE {} RENAME COLUMN {} TO {}".format("notes", "title", "heading"))',
        "in an autocommit_block": """
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE notes RENAME COLUMN title TO heading")
            """,
    },
)

RENAME_MAPPED_COLUMN = Danger(
    "a contract renames a column that the live release maps",
    names=("notes", "title"),
    harm=lacks(column("notes", "title")),
    phase=CONTRACT,
    spellings={
        "op": 'op.alter_column("notes", "title", new_column_name="heading")',
        "SQL": 'op.execute("ALTER TABLE notes RENAME title TO heading")',
    },
)

SWAP_COLUMNS = Danger(
    "two columns swap their names",
    names=("notes", "title|content"),
    harm=exists(column("notes", "title", "format_type(atttypid, atttypmod) = 'character varying(2000)'")),
    spellings={
        "SQL": """
            op.execute("ALTER TABLE notes RENAME title TO heading")
            op.execute("ALTER TABLE notes RENAME content TO title")
            op.execute("ALTER TABLE notes RENAME heading TO content")
            """
    },
)

DANGERS = (
    DROP_COLUMN,
    DROP_MAPPED_COLUMN,
    REPLACE_COLUMN,
    RENAME_COLUMN,
    RENAME_MAPPED_COLUMN,
    SWAP_COLUMNS,
)
