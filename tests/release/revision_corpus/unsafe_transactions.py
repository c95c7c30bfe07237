"""Unsafe: a revision leaves the transaction in which it is judged."""

from tests.release.revision_corpus.cases import Danger
from tests.release.revision_corpus.probes import column, comment, lacks

DROP = "ALTER TABLE notes DROP COLUMN tags"

OWN_COMMIT = Danger(
    "what it did is committed before anybody looks",
    names=("tags|commit|transaction|cursor",),
    harm=lacks(column("notes", "tags")),
    spellings={
        "COMMIT": f"""
            op.execute("{DROP}")
            op.execute("COMMIT")
            """,
        "COMMIT before it": f"""
            op.execute("COMMIT")
            op.execute("{DROP}")
            """,
        "COMMIT and BEGIN": f"""
            op.execute("COMMIT")
            op.execute("BEGIN")
            op.execute("{DROP}")
            op.execute("END")
            """,
        "in one text": f'op.execute("{DROP}; COMMIT; BEGIN")',
        "COMMIT AND CHAIN, in lower case": f"""
            op.execute("{DROP}")
            op.execute("/* so far */ commit and chain")
            """,
        "END WORK": f"""
            op.execute("{DROP}")
            op.execute("end work")
            """,
        "ROLLBACK before it": f"""
            op.execute("ROLLBACK")
            op.execute("{DROP}")
            """,
        "the connection's commit()": f"""
            op.execute("{DROP}")
            op.get_bind().commit()
            """,
        "the driver's commit()": f"""
            op.execute("{DROP}")
            op.get_bind().connection.commit()
            """,
        "a connection of its own": f"""
            with op.get_bind().engine.begin() as connection:
                connection.execute(sa.text("{DROP}"))
            """,
        "a connection of its own, in autocommit mode": f"""
            with op.get_bind().engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("{DROP}"))
            """,
        "an engine of its own": f"""
            with sa.create_engine(op.get_bind().engine.url).begin() as connection:
                connection.execute(sa.text("{DROP}"))
            """,
        "a cursor of the driver": f"""
            with op.get_bind().connection.cursor() as cursor:
                cursor.execute("{DROP}")
            """,
        "a cursor of the driver, and COMMIT": f"""
            with op.get_bind().connection.cursor() as cursor:
                cursor.execute("{DROP}; COMMIT")
            """,
        "a procedure that commits": """
            with op.get_context().autocommit_block():
                op.execute("CALL tidy_notes()")
            """,
        "several in an autocommit_block": f"""
            with op.get_context().autocommit_block():
                op.execute("SELECT 1")
                op.execute("{DROP}; SELECT 1")
            """,
        "by hand in an autocommit_block": f"""
            with op.get_context().autocommit_block():
                op.execute("BEGIN")
                op.execute("{DROP}")
                op.execute("COMMIT")
            """,
        "a trigger that fires at COMMIT": f"""
            op.execute(
                "CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {DROP}; RETURN NULL; END $$"
            )
            op.execute("CREATE TABLE tidied (id int)")
            op.execute(
                "CREATE CONSTRAINT TRIGGER tidy AFTER INSERT ON tidied INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION tidy()"
            )
            op.execute("INSERT INTO tidied VALUES (1)")
            """,
    },
)

OWN_ROLLBACK = Danger(
    "half of it is rolled back, and the revision counts as applied",
    names=("ROLLBACK|transaction",),
    harm=comment("notes", "marked"),
    spellings={
        "ROLLBACK": """
            op.add_column("notes", sa.Column("mark", sa.Text()))
            op.execute("ROLLBACK")
            op.execute("COMMENT ON TABLE notes IS 'marked'")
            """,
        "ABORT": """
            op.add_column("notes", sa.Column("mark", sa.Text()))
            op.execute("abort; COMMENT ON TABLE notes IS 'marked'")
            """,
    },
)

DANGERS = (OWN_COMMIT, OWN_ROLLBACK)
