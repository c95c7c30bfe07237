"""Unsafe: a table that the live release uses goes, moves, or gets another name."""

from app.release.ledger import CONTRACT
from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import exists, lacks, no_rows, relation

DROP_TABLE = Danger(
    "a table is dropped",
    names=("results",),
    harm=lacks(relation("results")),
    instead="retire_table_online",
    spellings={
        "op": 'op.drop_table("results")',
        "keyword arguments": 'op.drop_table(if_exists=True, table_name="results", schema="public")',
        "sa.Table": 'sa.Table("results", sa.MetaData()).drop(op.get_bind())',
        "SQL": 'op.execute("DROP TABLE results")',
        "several, quoted": """op.execute('drop table if exists "nothing", public."results" cascade')""",
        "found by its name": """
            op.execute(
                "DO $$ DECLARE gone text; BEGIN FOR gone IN SELECT tablename FROM pg_tables"
                " WHERE tablename LIKE 'result%' LOOP EXECUTE 'DROP TABLE ' || quote_ident(gone); END LOOP; END $$"
            )
            """,
        "after one of this name in another schema": """
            op.execute("CREATE TABLE archive.results (id bigint)")
            op.execute("DROP TABLE results")
            """,
        "after one of this name for a while": """
            op.execute("CREATE TEMPORARY TABLE results (id bigint)")
            op.execute("DROP TABLE results")
            op.execute("DROP TABLE results")
            """,
        "in an autocommit_block": """
            with op.get_context().autocommit_block():
                op.drop_table("results")
            """,
        "by our own operation": 'drop_table_contract("results")',
        "by our own operation, with a keyword": 'drop_table_contract(table="results")',
    },
)

DROP_MAPPED_TABLE = Danger(
    "a contract drops a table that the live release maps",
    names=("results",),
    harm=lacks(relation("results")),
    phase=CONTRACT,
    spellings={
        "op": 'op.drop_table("results")',
        "SQL": 'op.execute("DROP TABLE results")',
        "by our own operation": 'drop_table_contract("results")',
        "retired in the same revision": """
            retire_table_online("results")
            drop_table_contract("results")
            """,
    },
)

REPLACE_TABLE = Danger(
    "a table is recreated, without its rows",
    names=("results",),
    harm=no_rows("results"),
    spellings={
        "dropped and created": """
            op.execute("CREATE TABLE counted (LIKE results INCLUDING ALL)")
            op.execute("DROP TABLE results")
            op.execute("ALTER TABLE counted RENAME TO results")
            """,
        "put in its place": """
            op.execute("CREATE TABLE counted (LIKE results INCLUDING ALL)")
            op.execute("ALTER TABLE results RENAME TO results_of_before")
            op.execute("ALTER TABLE counted RENAME TO results")
            """,
    },
)

MOVE_TABLE = Danger(
    "a table moves to another schema",
    names=("results",),
    harm=lacks(relation("public.results")),
    spellings={
        "SQL": 'op.execute("ALTER TABLE results SET SCHEMA archive")',
        "in a DO block": in_do_block("ALTER TABLE results SET SCHEMA archive"),
    },
)

RENAME_TABLE = Danger(
    "a table is renamed",
    names=("results",),
    harm=exists(relation("counts")),
    instead="rename_with_view",
    spellings={
        "op": 'op.rename_table("results", "counts")',
        "keyword arguments": 'op.rename_table(new_table_name="counts", old_table_name="results")',
        "SQL": 'op.execute("ALTER TABLE results RENAME TO counts")',
        "quoted, if it is there": """op.execute('alter table if exists "results" rename to "counts"')""",
        "in a DO block": in_do_block("ALTER TABLE results RENAME TO counts"),
        "a view that comes a transaction later": """
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE results RENAME TO counts")
            op.execute("CREATE VIEW results AS SELECT * FROM counts")
            """,
    },
)

RENAME_BEHIND_VIEW = Danger(
    "a table is renamed behind a view that cannot stand in for it",
    names=("results",),
    harm=exists(relation("counts")),
    spellings={
        "it lacks columns": """
            op.execute("ALTER TABLE results RENAME TO counts")
            op.execute("CREATE VIEW results AS SELECT id, user_id, url FROM counts")
            """,
        "it takes no row": """
            op.execute("ALTER TABLE results RENAME TO counts")
            op.execute("CREATE VIEW results AS SELECT DISTINCT ON (id) * FROM counts")
            """,
        "it takes no value of a column": """
            columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns("results")]
            shown = ", ".join(name if name != "url" else "lower(url) AS url" for name in columns)
            op.rename_table("results", "counts")
            op.execute(f"CREATE VIEW results AS SELECT {shown} FROM counts")
            """,
    },
)

HIDE_TABLE = Danger(
    "a role finds another table first, in the schema of its own name",
    names=("notes", "schema"),
    harm=exists(
        "SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = relnamespace"
        " WHERE relname = 'notes' AND nspname = current_user"
    ),
    instead="another name",
    spellings={
        "a new one": """
            op.execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER")
            op.execute("DO $$ BEGIN EXECUTE format('CREATE TABLE %I.notes (id bigint)', current_user); END $$")
            """,
        "a view": """
            op.execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER CREATE VIEW notes AS SELECT 1 AS id")
            """,
        "its schema is renamed": """
            op.execute("CREATE SCHEMA attic CREATE TABLE notes (id bigint)")
            op.execute("DO $$ BEGIN EXECUTE format('ALTER SCHEMA attic RENAME TO %I', current_user); END $$")
            """,
    },
)

DROP_UNMAPPED_TABLE = Danger(
    "a table goes that the service uses without a model",
    names=("procrastinate_events", "still uses"),
    harm=lacks(relation("procrastinate_events")),
    phase=CONTRACT,
    spellings={
        "SQL": 'op.execute("DROP TABLE procrastinate_events")',
        "op": 'op.drop_table("procrastinate_events")',
        "renamed": 'op.rename_table("procrastinate_events", "events")',
    },
)

DROP_SCHEMA = Danger(
    "a schema goes, and what is in it",
    names=("archive",),
    harm=lacks(relation("archive.letters")),
    spellings={
        "SQL": 'op.execute("DROP SCHEMA archive CASCADE")',
        "sa.schema": 'op.execute(sa.schema.DropSchema("archive", cascade=True))',
        "renamed": 'op.execute("ALTER SCHEMA archive RENAME TO attic")',
    },
)

INHERIT = Danger(
    "a query of a table shows the rows of another one",
    names=("surveys",),
    harm=exists("SELECT FROM pg_inherits WHERE inhparent = 'surveys'::regclass"),
    instead=r"excused\(",
    spellings={
        "a new one": 'op.execute("CREATE TABLE quick_surveys () INHERITS (surveys)")',
        "a new one with rows": """
            op.execute("CREATE TABLE quick_surveys (LIKE surveys INCLUDING ALL)")
            op.execute("INSERT INTO quick_surveys (title) VALUES ('quick')")
            op.execute("ALTER TABLE quick_surveys INHERIT surveys")
            """,
    },
)

DETACH_PARTITION = Danger(
    "a partition and its rows leave the table",
    names=("visits",),
    harm=no_rows("visits"),
    spellings={
        "SQL": 'op.execute("ALTER TABLE visits DETACH PARTITION visits_2026")',
        "dropped": 'op.drop_table("visits_2026")',
    },
)

DANGERS = (
    DROP_TABLE,
    DROP_MAPPED_TABLE,
    REPLACE_TABLE,
    MOVE_TABLE,
    RENAME_TABLE,
    RENAME_BEHIND_VIEW,
    HIDE_TABLE,
    DROP_UNMAPPED_TABLE,
    DROP_SCHEMA,
    INHERIT,
    DETACH_PARTITION,
)
