"""A history that uses every operation, on the tables of operation_cases.TABLES.

What an operation needs must still be there when the revision is run again, so whatever takes something away that an
earlier step names has a revision of its own. Nothing is both retired and dropped: in one run that is refused.
"""

from tests.release.checkout import Checkout

UPGRADES = (
    """
    op.create_table("plain", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("n", sa.Integer))
    op.execute("INSERT INTO plain SELECT n, n FROM generate_series(1, 5) n")
    op.add_column("plain", sa.Column("m", sa.Integer))
    op.execute("UPDATE plain SET n = n * 2")
    """,
    """
    add_column_online("things", sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False))
    create_index_online("ix_things_name", "things", ["name", "id"])
    create_index_online("ix_part", "things", [sa.text("lower(name)")], postgresql_where=sa.text("name LIKE 'thing 1%'"))
    drop_index_online("ix_things_size")
    backfill("things", set_sql="size = length(name) % 10", where="size IS NULL")
    set_default_online("things", "size", "3")
    """,
    """
    set_not_null_online("things", "owner_id")
    set_not_null_online("things", "Odd name")
    drop_not_null_online("things", "name")
    add_check_online("things", "ck_things_named", "name LIKE 'thing%'")
    add_foreign_key_online("fk_things_owners", "things", "owners", ["owner_id"], ["id"], ondelete="CASCADE")
    add_unique_online("things", "uq_things_name", ["name"])
    drop_constraint_online("things", "ck_things_small")
    widen_text_online("things", "name", "VARCHAR(80)")
    """,
    "op.execute('UPDATE plain SET n = n + 1')",
    'retire_column_online("things", "name")',
    'reinstate_column_online("things", "name")',
    'drop_column_contract("things", "size")',
    'rename_with_view("things", "objects")',
    'rename_back_from_view("things", "objects")',
    'rename_with_view("things", "objects")',
    'drop_compat_view("things")',
    'retire_table_online("owners")',
    'reinstate_table_online("owners")',
    'drop_table_contract("plain")',
)


def write_history(checkout: Checkout) -> list[str]:
    """The numbers of its revisions."""
    numbers = [f"{number:04d}" for number in range(1, len(UPGRADES) + 1)]
    for number, upgrade in zip(numbers, UPGRADES, strict=True):
        checkout.write_revision(number, upgrade)
    return numbers
