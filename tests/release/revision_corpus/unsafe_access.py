"""Unsafe: rows and rights that the live release had are taken from it, though every table and column stands."""

from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import exists, trigger

FULL = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no more'; END $$"
SILENT = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
CREATE_TRIGGER = "CREATE TRIGGER refuse BEFORE INSERT ON todos FOR EACH ROW EXECUTE FUNCTION refuse()"

REFUSING_TRIGGER = Danger(
    "a trigger stands between the live release and a table",
    names=("todos", "refuse"),
    harm=exists(trigger("todos", "refuse")),
    spellings={
        "that refuses": f"""
            op.execute("{FULL}")
            op.execute("{CREATE_TRIGGER}")
            """,
        "that swallows": f"""
            op.execute("{SILENT}")
            op.execute("{CREATE_TRIGGER.lower()}")
            """,
        "of each statement": f"""
            op.execute("{FULL}")
            op.execute('create or replace trigger "refuse" before delete on "todos" execute function refuse()')
            """,
        "at the end of the transaction": f"""
            op.execute("{FULL}")
            op.execute(
                "CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON todos INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
            """,
    },
)

RULE = Danger(
    "a rule turns what the live release writes into something else",
    names=("todos", "ignore"),
    harm=exists("SELECT FROM pg_rewrite WHERE rulename = 'ignore'"),
    spellings={
        "nothing": 'op.execute("CREATE RULE ignore AS ON INSERT TO todos DO INSTEAD NOTHING")',
        "another statement": """
            op.execute(
                "CREATE OR REPLACE RULE ignore AS ON DELETE TO todos"
                " DO INSTEAD UPDATE todos SET deleted_at = now() WHERE id = OLD.id"
            )
            """,
    },
)

ROW_SECURITY = Danger(
    "row security hides rows",
    names=("todos", "row"),
    harm="SELECT relrowsecurity OR relforcerowsecurity FROM pg_class WHERE oid = 'todos'::regclass",
    spellings={
        "ENABLE": 'op.execute("ALTER TABLE todos ENABLE ROW LEVEL SECURITY")',
        "FORCE": 'op.execute("ALTER TABLE todos ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")',
        "in a DO block": in_do_block("ALTER TABLE todos FORCE ROW LEVEL SECURITY"),
    },
)

REVOKE = Danger(
    "a role loses what it may do",
    names=("todos", "revoke|privilege|right|INSERT"),
    harm="SELECT relacl IS NOT NULL FROM pg_class WHERE oid = 'todos'::regclass",
    spellings={
        "one right": 'op.execute("REVOKE INSERT ON todos FROM CURRENT_USER")',
        "all rights": 'op.execute("revoke all privileges on table todos from current_user")',
        "of a column": """
            op.execute("REVOKE UPDATE ON todos FROM CURRENT_USER")
            op.execute("GRANT UPDATE (description) ON todos TO CURRENT_USER")
            """,
    },
)

OWNER = Danger(
    "a table gets another owner",
    names=("todos", "owner"),
    harm="SELECT relowner = 'pg_database_owner'::regrole FROM pg_class WHERE oid = 'todos'::regclass",
    spellings={"SQL": 'op.execute("ALTER TABLE todos OWNER TO pg_database_owner")'},
)

SEARCH_PATH = Danger(
    "new sessions look for tables in another schema",
    names=("search_path",),
    harm=(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        " WHERE datname = current_database() AND setconfig::text LIKE '%search_path%')"
    ),
    spellings={
        "of the database": """
            op.execute(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = archive', current_database()); END $$"
            )
            """,
        "of the role": """
            name = op.get_bind().scalar(sa.text("SELECT current_database()"))
            op.execute(f'ALTER ROLE CURRENT_USER IN DATABASE "{name}" SET search_path = archive')
            """,
    },
)

CONNECTION_LIMIT = Danger(
    "fewer sessions are let in from now on",
    names=("CONNECTION LIMIT|NOLOGIN|VALID UNTIL",),
    harm="SELECT datconnlimit = 5 FROM pg_database WHERE datname = current_database()",
    spellings={
        "of the database": """
            name = op.get_bind().scalar(sa.text("SELECT current_database()"))
            op.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 5')
            """,
        "of the database, in a DO block": """
            op.execute(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I WITH CONNECTION LIMIT = 0', current_database()); END $$"
            )
            """,
        "of the role": 'op.execute("ALTER ROLE CURRENT_USER CONNECTION LIMIT 5")',
        "the role may not log in": 'op.execute("ALTER ROLE CURRENT_USER NOLOGIN")',
        "the password expires": "op.execute(\"ALTER USER CURRENT_USER VALID UNTIL '2020-01-01'\")",
    },
)

PUBLISHED_WITHOUT_KEY = Danger(
    "a table is published, and nothing tells a subscriber its rows apart: UPDATE and DELETE fail",
    names=("visits_2025|notes|todos", "replication"),
    harm=exists("SELECT FROM pg_publication"),
    instead="REPLICA IDENTITY FULL",
    spellings={
        "a table": 'op.execute("CREATE PUBLICATION feed FOR TABLE visits_2025")',
        "a table of it": """
            op.execute("CREATE PUBLICATION feed FOR TABLE notes")
            op.execute("ALTER PUBLICATION feed ADD TABLE visits_2025")
            """,
        "what is deleted": """
            op.execute("CREATE PUBLICATION feed FOR TABLE visits_2025 WITH (publish = 'delete')")
            """,
        "its identity goes": """
            op.execute("CREATE PUBLICATION feed FOR TABLE notes, todos")
            op.execute("ALTER TABLE notes REPLICA IDENTITY NOTHING")
            """,
        "its identity went before": """
            op.execute("ALTER TABLE todos REPLICA IDENTITY NOTHING")
            op.execute("CREATE PUBLICATION feed FOR TABLE todos")
            """,
    },
)

TRIGGER_FUNCTION = Danger(
    "the function of a trigger does something else",
    names=("touch",),
    harm="SELECT prosrc NOT LIKE '%coalesce%' FROM pg_proc WHERE proname = 'touch'",
    spellings={
        "SQL": f"""op.execute("{FULL.replace("FUNCTION refuse", "OR REPLACE FUNCTION touch")}")""",
        "its search_path, in a DO block": in_do_block("ALTER FUNCTION touch() SET search_path TO archive"),
    },
)

TRIGGER_OF_REPLICAS = Danger(
    "a trigger fires on replicas alone",
    names=("tickets", "touch"),
    harm=exists(trigger("tickets", "touch_tickets", "tgenabled = 'R'")),
    spellings={"SQL": 'op.execute("ALTER TABLE tickets ENABLE REPLICA TRIGGER touch_tickets")'},
)

REVOKE_OTHERS = Danger(
    "a role may no longer use what a table needs",
    names=("archive|seat_label|ticket_numbers|mood", "privilege|owner"),
    harm="SELECT nspacl IS NOT NULL FROM pg_namespace WHERE nspname = 'archive'",
    spellings={
        "a schema": 'op.execute("REVOKE ALL ON SCHEMA archive FROM CURRENT_USER")',
        "a function": 'op.execute("REVOKE EXECUTE ON FUNCTION seat_label FROM PUBLIC")',
        "a sequence": 'op.execute("revoke usage on sequence ticket_numbers from current_user")',
        "the right to pass one on": """
            op.execute("REVOKE GRANT OPTION FOR USAGE ON SEQUENCE ticket_numbers FROM pg_monitor")
            """,
        "a type": 'op.execute("REVOKE USAGE ON TYPE mood FROM PUBLIC")',
        "the owner of a schema": 'op.execute("ALTER SCHEMA archive OWNER TO pg_database_owner")',
        "the owner of a function": 'op.execute("ALTER FUNCTION seat_label(text) OWNER TO pg_database_owner")',
        "in a DO block": in_do_block("REVOKE USAGE ON SCHEMA archive FROM CURRENT_USER"),
    },
)

DANGERS = (
    REFUSING_TRIGGER,
    TRIGGER_FUNCTION,
    TRIGGER_OF_REPLICAS,
    RULE,
    ROW_SECURITY,
    REVOKE,
    REVOKE_OTHERS,
    OWNER,
    SEARCH_PATH,
    CONNECTION_LIMIT,
    PUBLISHED_WITHOUT_KEY,
)
