"""Unsafe: from now on a table refuses what the live release writes."""

from tests.release.revision_corpus.cases import Danger, in_do_block
from tests.release.revision_corpus.probes import column, constraint, exists, index, lacks

SET_NOT_NULL = Danger(
    "a column that the live release may leave empty is required",
    names=("todos", "due_on"),
    harm=exists(column("todos", "due_on", "attnotnull")),
    spellings={
        "op": 'op.alter_column("todos", "due_on", nullable=False)',
        "keyword arguments": (
            'op.alter_column(column_name="due_on", existing_type=sa.Date(), nullable=False, table_name="todos")'
        ),
        "batch_alter_table": """
            with op.batch_alter_table("todos") as todos:
                todos.alter_column("due_on", nullable=False, existing_type=sa.Date())
            """,
        "SQL": 'op.execute("ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL")',
        "quoted, without the word COLUMN": """op.execute('alter table public."todos" alter "due_on" set not null')""",
        "filled before": """
            op.execute("UPDATE todos SET due_on = '2030-01-01' WHERE due_on IS NULL")
            op.alter_column("todos", "due_on", nullable=False)
            """,
        "in a DO block": in_do_block("ALTER TABLE todos ALTER due_on SET NOT NULL"),
        "in an autocommit_block": """
            with op.get_context().autocommit_block():
                op.execute("ALTER TABLE todos ALTER COLUMN due_on SET NOT NULL")
            """,
        "by our own operation": 'set_not_null_online("todos", "due_on")',
        "by our own operation, with keywords": 'set_not_null_online(column="due_on", table="todos")',
    },
)

REQUIRED_COLUMN = Danger(
    "a new column is required and has no default",
    names=("surveys", "closes_on"),
    harm=exists(column("surveys", "closes_on", "attnotnull AND NOT atthasdef")),
    instead="default",
    spellings={
        "op": 'op.add_column("surveys", sa.Column("closes_on", sa.Date(), nullable=False))',
        "batch_alter_table": """
            with op.batch_alter_table("surveys") as surveys:
                surveys.add_column(sa.Column("closes_on", sa.Date(), nullable=False))
            """,
        "SQL": 'op.execute("ALTER TABLE surveys ADD closes_on date NOT NULL")',
        "quoted, if it is not there": """
            op.execute('alter table "surveys" add column if not exists "closes_on" date not null')
            """,
        "a default that goes again": """
            op.add_column("surveys", sa.Column("closes_on", sa.Date(), server_default="2030-01-01", nullable=False))
            op.alter_column("surveys", "closes_on", server_default=None)
            """,
        "required in a second statement": """
            op.add_column("surveys", sa.Column("closes_on", sa.Date()))
            op.execute("ALTER TABLE surveys ALTER COLUMN closes_on SET NOT NULL")
            """,
        "in a DO block": in_do_block("ALTER TABLE surveys ADD closes_on date NOT NULL"),
    },
)

REQUIRED_OTHERWISE = Danger(
    "a new column refuses what rows without it hold",
    names=("surveys",),
    harm=exists(column("surveys", "closes_on", "NOT attnotnull AND NOT atthasdef")),
    spellings={
        "by a CHECK": 'op.execute("ALTER TABLE surveys ADD closes_on date CHECK (closes_on IS NOT NULL)")',
        "by a CHECK of later rows": """
            op.execute("ALTER TABLE surveys ADD closes_on date")
            op.execute("ALTER TABLE surveys ADD CONSTRAINT ck_surveys CHECK (num_nulls(closes_on) = 0) NOT VALID")
            """,
        "by a CHECK that looks at another column too": """
            op.execute("ALTER TABLE surveys ADD closes_on date")
            op.execute("ALTER TABLE surveys ADD CHECK (title > 'b' AND closes_on IS NULL) NOT VALID")
            """,
        "by a CHECK that its default does not meet": """
            op.execute("ALTER TABLE surveys ADD closes_on date DEFAULT '2020-01-01'")
            op.execute("ALTER TABLE surveys ADD CONSTRAINT ck_surveys CHECK (closes_on > '2026-01-01') NOT VALID")
            """,
    },
)

CHECK_OF_UNMAPPED_COLUMN = Danger(
    "a column that the live release does not map has to meet a condition which a row without it does not",
    names=("notes", "ck_notes_colour"),
    harm=exists(constraint("notes", "ck_notes_colour")),
    spellings={
        "SQL": """
            op.execute("ALTER TABLE notes ADD CONSTRAINT ck_notes_colour CHECK (colour IS NOT NULL) NOT VALID")
            """,
        "by our own operation": 'add_check_online("notes", "ck_notes_colour", "colour IS NOT NULL")',
        "by our own operation, with another column": (
            """add_check_online("notes", "ck_notes_colour", "title <> 'x' OR colour IS NOT NULL")"""
        ),
        "of new code's rows, which old code changes": (
            """add_check_online("notes", "ck_notes_colour", "colour IS NULL OR title <> ''")"""
        ),
    },
)

DROP_DEFAULT = Danger(
    "a required column loses its default",
    names=("notes", "pinned"),
    harm=exists(column("notes", "pinned", "NOT atthasdef")),
    spellings={
        "op": 'op.alter_column("notes", "pinned", server_default=None)',
        "SQL": 'op.execute("ALTER TABLE notes ALTER COLUMN pinned DROP DEFAULT")',
        "NULL in its place": """op.execute('alter table "notes" alter "pinned" set default null')""",
        "in a DO block": in_do_block("ALTER TABLE notes ALTER pinned DROP DEFAULT"),
        "by our own operation": 'set_default_online("notes", "pinned", None)',
    },
)

FAILING_DEFAULT = Danger(
    "a column gets a default that it does not take",
    names=("default", r"notes\.title|tickets\.seat|surveys\.place|tickets\.label|tickets\.number|todos\.remark"),
    harm=(
        "SELECT EXISTS (SELECT FROM pg_attrdef WHERE adrelid = 'tickets'::regclass AND adnum = 4"
        " AND pg_get_expr(adbin, adrelid) LIKE '%too long%')"
    ),
    spellings={
        "too long": """op.alter_column("tickets", "seat", server_default="too long for a seat")""",
        "too long, by our own operation": """set_default_online("tickets", "seat", "'too long for a seat'")""",
        "NULL, on a required column": 'op.execute("ALTER TABLE notes ALTER title SET DEFAULT nullif(1, 1)::text")',
        "that cannot be computed": """
            op.execute("ALTER TABLE notes ALTER title SET DEFAULT (1 / length(''))::text")
            """,
        "that no cast reads": "op.execute(\"ALTER TABLE tickets ALTER number SET DEFAULT ('n' || 1)::bigint\")",
        "that a CHECK refuses": "op.execute(\"ALTER TABLE surveys ALTER place SET DEFAULT ''\")",
        "that a CHECK refuses, by our own operation": """set_default_online("surveys", "place", "''")""",
        "none, where a CHECK asks for one": 'op.execute("ALTER TABLE todos ALTER remark DROP DEFAULT")',
        "that its domain refuses": "op.execute(\"ALTER TABLE tickets ALTER label SET DEFAULT repeat('x', 20)\")",
        "of its domain": "op.execute(\"ALTER DOMAIN short_text SET DEFAULT 'much too long for it'\")",
        "the same for each row of a key": 'op.execute("ALTER TABLE tickets ALTER number SET DEFAULT 7")',
        "in a DO block": in_do_block("ALTER TABLE tickets ALTER seat SET DEFAULT 'too long for a seat'"),
    },
)

FAILING_DEFAULT_OF_NEW_COLUMN = Danger(
    "a new column gets a default that it does not take",
    names=("default", r"surveys\.(mark|todo_id)"),
    harm=exists(column("surveys", "mark", "atthasdef")),
    spellings={
        "in a second statement": """
            op.add_column("surveys", sa.Column("mark", sa.String(3)))
            op.alter_column("surveys", "mark", server_default="long")
            """,
        "NULL, by our own operation": """
            null = sa.text("NULL")
            add_column_online("surveys", sa.Column("mark", sa.Integer(), server_default=null, nullable=False))
            """,
        "too long, by our own operation": """
            add_column_online("surveys", sa.Column("mark", sa.String(3), server_default="long"))
            """,
        "that refers to nothing": """
            op.execute("ALTER TABLE surveys ADD mark bigint, ADD todo_id bigint")
            op.execute("ALTER TABLE surveys ADD FOREIGN KEY (todo_id) REFERENCES todos NOT VALID")
            op.execute("ALTER TABLE surveys ALTER todo_id SET DEFAULT 0, ALTER mark SET DEFAULT 1")
            """,
    },
)

DROP_IDENTITY = Danger(
    "a key is no longer numbered",
    names=("notes", "id"),
    harm=exists(column("notes", "id", "attidentity = ''")),
    spellings={"SQL": 'op.execute("ALTER TABLE notes ALTER COLUMN id DROP IDENTITY")'},
)

NUMBERS_BEGIN_ANEW = Danger(
    "a key is numbered from the beginning, as rows are already",
    names=("notes", "id"),
    harm=exists(column("notes", "id", "(attidentity = 'd' OR atthasdef)")),
    spellings={
        "another identity": """
            op.execute("ALTER TABLE notes ALTER id DROP IDENTITY")
            op.execute("ALTER TABLE notes ALTER id ADD GENERATED BY DEFAULT AS IDENTITY")
            """,
        "a sequence of its own": """
            op.execute("CREATE SEQUENCE notes_number")
            op.execute(
                "ALTER TABLE notes ALTER id DROP IDENTITY, ALTER id SET DEFAULT nextval('notes_number')"
            )
            """,
    },
)

UNIQUE_COLUMNS = Danger(
    "columns that are there are unique from now on",
    names=("todos", "uq_todos_user_id_description"),
    harm=exists(index("uq_todos_user_id_description", "indisvalid AND indisunique")),
    spellings={
        "op": 'op.create_unique_constraint("uq_todos_user_id_description", "todos", ["user_id", "description"])',
        "SQL": (
            'op.execute("ALTER TABLE todos ADD CONSTRAINT uq_todos_user_id_description UNIQUE (user_id, description)")'
        ),
        "an index": (
            'op.create_index("uq_todos_user_id_description", "todos", ["user_id", "description"], unique=True)'
        ),
        "an index, concurrently": """
            with op.get_context().autocommit_block():
                op.execute(
                    "CREATE UNIQUE INDEX CONCURRENTLY uq_todos_user_id_description ON todos (user_id, description)"
                )
            """,
        "by our own operation": (
            'add_unique_online("todos", "uq_todos_user_id_description", ["user_id", "description"])'
        ),
        "by our own operation, an index": (
            'create_index_online("uq_todos_user_id_description", "todos", ["user_id", "description"], unique=True)'
        ),
    },
)

CHECK_COLUMNS = Danger(
    "columns that are there have to meet a condition from now on",
    names=("todos", "ck_todos_description"),
    harm=exists(constraint("todos", "ck_todos_description")),
    spellings={
        "op": """op.create_check_constraint("ck_todos_description", "todos", "description <> ''")""",
        "SQL": "op.execute(\"ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '')\")",
        "not validated": (
            "op.execute(\"ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (description <> '') NOT VALID\")"
        ),
        "not validated, in a DO block": in_do_block(
            "ALTER TABLE todos ADD CONSTRAINT ck_todos_description CHECK (length(description) > 0) NOT VALID"
        ),
        "by our own operation": """add_check_online("todos", "ck_todos_description", "description <> ''")""",
    },
)

FOREIGN_KEY = Danger(
    "a column that is there has to refer to a row from now on",
    names=("tickets", "fk_tickets_todo_id"),
    harm=exists(constraint("tickets", "fk_tickets_todo_id")),
    spellings={
        "op": 'op.create_foreign_key("fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"])',
        "not validated": (
            'op.create_foreign_key("fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"],'
            " postgresql_not_valid=True)"
        ),
        "SQL": (
            'op.execute("ALTER TABLE tickets ADD CONSTRAINT fk_tickets_todo_id FOREIGN KEY (todo_id) REFERENCES todos")'
        ),
        "by our own operation": 'add_foreign_key_online("fk_tickets_todo_id", "tickets", "todos", ["todo_id"], ["id"])',
    },
)

FOREIGN_KEY_OF_DEFAULT = Danger(
    "a new column refers to a row that is not there, unless its writer says otherwise",
    names=("tickets", "fk_tickets_plan_id"),
    harm=exists(constraint("tickets", "fk_tickets_plan_id")),
    spellings={
        "SQL": """
            op.execute("CREATE TABLE plans (id bigint CONSTRAINT pk_plans PRIMARY KEY)")
            op.execute("ALTER TABLE tickets ADD plan_id bigint NOT NULL DEFAULT 1")
            op.execute(
                "ALTER TABLE tickets ADD CONSTRAINT fk_tickets_plan_id FOREIGN KEY (plan_id) REFERENCES plans NOT VALID"
            )
            """,
        "the default of a domain": """
            op.execute("CREATE DOMAIN plan AS bigint DEFAULT 1")
            op.execute("CREATE TABLE plans (id bigint CONSTRAINT pk_plans PRIMARY KEY)")
            op.execute("ALTER TABLE tickets ADD plan_id plan")
            op.execute(
                "ALTER TABLE tickets ADD CONSTRAINT fk_tickets_plan_id FOREIGN KEY (plan_id) REFERENCES plans NOT VALID"
            )
            """,
        "MATCH FULL, one of two": """
            op.execute("CREATE TABLE plans (id bigint, year int DEFAULT 1, CONSTRAINT pk_plans PRIMARY KEY (id, year))")
            op.execute("ALTER TABLE tickets ADD plan_id bigint, ADD plan_year int DEFAULT 1")
            op.execute(
                "ALTER TABLE tickets ADD CONSTRAINT fk_tickets_plan_id FOREIGN KEY (plan_id, plan_year)"
                " REFERENCES plans MATCH FULL NOT VALID"
            )
            """,
    },
)

FILLED_BY_TRIGGER = Danger(
    "a column that the live release does not write, and a trigger fills, has to meet a rule from now on",
    names=("surveys",),
    harm=exists(constraint("surveys", "rule")),
    spellings={
        "CHECK": """
            op.execute("ALTER TABLE surveys ADD note text")
            op.execute("ALTER TABLE surveys ADD CONSTRAINT rule CHECK (note <> 'x') NOT VALID")
            """,
        "FOREIGN KEY": """
            op.execute("ALTER TABLE surveys ADD place_id bigint")
            op.execute("ALTER TABLE surveys ADD CONSTRAINT rule FOREIGN KEY (place_id) REFERENCES todos NOT VALID")
            """,
    },
)

INCLUDED_COLUMN = Danger(
    "a unique index carries along a column that the live release does not map, which tells no two rows apart",
    names=("notes", "uq_notes_title|title"),
    harm=exists(index("uq_notes_title", "indisunique")),
    spellings={
        "an index, concurrently": """
            with op.get_context().autocommit_block():
                op.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_notes_title ON notes (id, title) INCLUDE (colour)")
            """,
        "an index": 'op.execute("CREATE UNIQUE INDEX uq_notes_title ON notes (id, title) INCLUDE (colour)")',
        "by our own operation": 'add_unique_online("notes", "uq_notes_title", ["id", "title"], include=["colour"])',
        "by our own operation, an index": """
            create_index_online("uq_notes_title", "notes", ["title"], unique=True, postgresql_include=["colour"])
            """,
    },
)

MATCH_FULL = Danger(
    "a foreign key refuses a row that has one of its columns and not the other",
    names=("fk_notes_place",),
    harm=exists(constraint("notes", "fk_notes_place")),
    spellings={
        "SQL": """
            op.execute("CREATE TABLE places (user_id bigint, size int, PRIMARY KEY (user_id, size))")
            op.execute(
                "ALTER TABLE notes ADD CONSTRAINT fk_notes_place FOREIGN KEY (user_id, size)"
                " REFERENCES places MATCH FULL NOT VALID"
            )
            """,
        "with a new column": """
            op.execute("CREATE TABLE places (user_id bigint, place int, PRIMARY KEY (user_id, place))")
            op.execute("ALTER TABLE notes ADD place int")
            op.execute(
                "ALTER TABLE notes ADD CONSTRAINT fk_notes_place FOREIGN KEY (user_id, place)"
                " REFERENCES places MATCH FULL NOT VALID"
            )
            """,
        "by our own operation": """
            columns = ["user_id", "size"]
            add_foreign_key_online("fk_notes_place", "notes", "places", columns, columns, match="FULL")
            """,
    },
)

DROP_UPDATING_KEY = Danger(
    "a foreign key that keeps up with what it refers to is dropped",
    names=("letters", "fk_letters_survey_id"),
    harm=lacks(constraint("archive.letters", "fk_letters_survey_id")),
    spellings={
        "SQL": 'op.execute("ALTER TABLE archive.letters DROP CONSTRAINT fk_letters_survey_id")',
        "one that only refuses in its place": """
            op.execute(
                "ALTER TABLE archive.letters DROP CONSTRAINT fk_letters_survey_id, ADD CONSTRAINT fk_letters_survey"
                " FOREIGN KEY (survey_id) REFERENCES surveys NOT VALID"
            )
            """,
        "by our own operation": """
            from app.release.operations.schemas import in_schema
            with in_schema("archive"):
                drop_constraint_online("letters", "fk_letters_survey_id")
            """,
    },
)

EXCLUDE = Danger(
    "rows that are there exclude one another from now on",
    names=("tickets", "ex_tickets_during"),
    harm=exists(constraint("tickets", "ex_tickets_during")),
    spellings={
        "op": 'op.create_exclude_constraint("ex_tickets_during", "tickets", ("during", "&&"), using="gist")',
        "SQL": (
            'op.execute("ALTER TABLE tickets ADD CONSTRAINT ex_tickets_during EXCLUDE USING gist (during WITH &&)")'
        ),
    },
)

OTHER_PRIMARY_KEY = Danger(
    "a table gets another primary key",
    names=("tickets", "pk_tickets"),
    harm=lacks("SELECT FROM pg_constraint WHERE conname = 'pk_tickets' AND conkey = '{1}'"),
    spellings={
        "op": """
            op.drop_constraint("pk_tickets", "tickets")
            op.create_primary_key("pk_tickets", "tickets", ["number", "user_id"])
            """,
        "SQL": """
            op.execute(
                "ALTER TABLE tickets DROP CONSTRAINT pk_tickets, ADD CONSTRAINT pk_tickets PRIMARY KEY (number, seat)"
            )
            """,
    },
)

DANGERS = (
    SET_NOT_NULL,
    REQUIRED_COLUMN,
    REQUIRED_OTHERWISE,
    CHECK_OF_UNMAPPED_COLUMN,
    DROP_DEFAULT,
    FAILING_DEFAULT,
    FAILING_DEFAULT_OF_NEW_COLUMN,
    DROP_IDENTITY,
    NUMBERS_BEGIN_ANEW,
    UNIQUE_COLUMNS,
    CHECK_COLUMNS,
    FOREIGN_KEY,
    FOREIGN_KEY_OF_DEFAULT,
    FILLED_BY_TRIGGER,
    INCLUDED_COLUMN,
    MATCH_FULL,
    DROP_UPDATING_KEY,
    EXCLUDE,
    OTHER_PRIMARY_KEY,
)
