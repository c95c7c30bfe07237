"""Models, and what a developer may do to them: the change, what `flask db migrate` writes forth and back, the phase."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql

from app.extensions import NAMING_CONVENTION


def models() -> MetaData:
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    Table("owners", metadata, sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True))
    Table(
        "things",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("owner_id", sa.BigInteger),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("size", sa.Integer, index=True),
        sa.Column("code", sa.String(10), unique=True),
        sa.Column("kind", sa.String(10), server_default="note", nullable=False),
    )
    return metadata


def things(metadata: MetaData) -> Table:
    return metadata.tables["things"]


def replace(metadata: MetaData, column: sa.Column[object]) -> None:
    things(metadata).append_column(column, replace_existing=True)


def unique_of(table: Table) -> sa.Constraint:
    return next(constraint for constraint in table.constraints if isinstance(constraint, sa.UniqueConstraint))


def remove(metadata: MetaData, name: str) -> None:
    """As if the model had never had the column, nor what stands on it."""
    table = things(metadata)
    kept = [column._copy() for column in table.columns if column.name != name]
    metadata.remove(table)
    Table("things", metadata, *kept)


def add(column: sa.Column[object]) -> Callable[[MetaData], None]:
    return lambda metadata: things(metadata).append_column(column)


def ranked(metadata: MetaData) -> None:
    things(metadata).append_column(sa.Column("rank", sa.Integer))
    things(metadata).append_constraint(sa.CheckConstraint("rank > 0", name="ranked"))


CHANGES = {
    "nullable column": (
        add(sa.Column("colour", sa.String(20))),
        ["add_column_online('things', sa.Column('colour', sa.String(length=20), nullable=True))"],
        ["drop_column_contract('things', 'colour')"],
        "expand",
    ),
    "required column with a default": (
        add(sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False)),
        [
            "add_column_online('things', sa.Column('done', sa.Boolean(), server_default=sa.text('false'),"
            " nullable=False))"
        ],
        ["drop_column_contract('things', 'done')"],
        "expand",
    ),
    "index": (
        lambda metadata: sa.Index(None, things(metadata).c.name, things(metadata).c.id),
        ["create_index_online('ix_things_name_id', 'things', ['name', 'id'])"],
        ["drop_index_online('ix_things_name_id')"],
        "expand",
    ),
    "partial index": (
        lambda metadata: sa.Index("ix_part", things(metadata).c.name, postgresql_where=things(metadata).c.size > 5),
        ["create_index_online('ix_part', 'things', ['name'], postgresql_where=sa.text('size > 5'))"],
        ["drop_index_online('ix_part')"],
        "expand",
    ),
    "unique on columns that are there": (
        lambda metadata: things(metadata).append_constraint(sa.UniqueConstraint("name")),
        ["add_unique_online('things', 'uq_things_name', ['name'])"],
        ["drop_constraint_online('things', 'uq_things_name')"],
        "contract",
    ),
    "unique on a new column": (
        lambda metadata: things(metadata).append_column(sa.Column("slug", sa.String(9), unique=True)),
        [
            "add_column_online('things', sa.Column('slug', sa.String(length=9), nullable=True))",
            "add_unique_online('things', 'uq_things_slug', ['slug'])",
        ],
        ["drop_constraint_online('things', 'uq_things_slug')", "drop_column_contract('things', 'slug')"],
        "expand",
    ),
    "foreign key": (
        lambda metadata: things(metadata).append_constraint(
            sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], ondelete="CASCADE")
        ),
        [
            "add_foreign_key_online('fk_things_owner_id_owners', 'things', 'owners', ['owner_id'], ['id'],"
            " ondelete='CASCADE')"
        ],
        ["drop_constraint_online('things', 'fk_things_owner_id_owners')"],
        "contract",
    ),
    "check": (
        lambda metadata: things(metadata).append_constraint(sa.CheckConstraint("size > 0", name="positive")),
        ["add_check_online('things', 'ck_things_positive', 'size > 0')"],
        ["drop_constraint_online('things', 'ck_things_positive')"],
        "contract",
    ),
    "required from now on": (
        lambda metadata: replace(metadata, sa.Column("owner_id", sa.BigInteger, nullable=False)),
        ["set_not_null_online('things', 'owner_id')"],
        ["drop_not_null_online('things', 'owner_id')"],
        "contract",
    ),
    "default gone from a required column": (
        lambda metadata: replace(metadata, sa.Column("kind", sa.String(10), nullable=False)),
        ["set_default_online('things', 'kind', None)"],
        ["""set_default_online('things', 'kind', "'note'::character varying")"""],
        "contract",
    ),
    "column of a dialect's type": (
        add(sa.Column("extra", postgresql.JSONB)),
        ["add_column_online('things', sa.Column('extra', postgresql.JSONB(astext_type=sa.Text()), nullable=True))"],
        ["drop_column_contract('things', 'extra')"],
        "expand",
    ),
    "foreign key with options": (
        lambda metadata: things(metadata).append_constraint(
            sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], onupdate="CASCADE", deferrable=True)
        ),
        [
            "add_foreign_key_online('fk_things_owner_id_owners', 'things', 'owners', ['owner_id'], ['id'],"
            " onupdate='CASCADE', deferrable=True)"
        ],
        ["drop_constraint_online('things', 'fk_things_owner_id_owners')"],
        "contract",
    ),
    "partial index with a percent sign": (
        lambda metadata: sa.Index("ix_part", things(metadata).c.name, postgresql_where=sa.text("name LIKE 'a%'")),
        ["""create_index_online('ix_part', 'things', ['name'], postgresql_where=sa.text("name LIKE 'a%'"))"""],
        ["drop_index_online('ix_part')"],
        "expand",
    ),
    "check on a new column": (
        ranked,
        [
            "add_column_online('things', sa.Column('rank', sa.Integer(), nullable=True))",
            "add_check_online('things', 'ck_things_ranked', 'rank > 0')",
        ],
        ["drop_constraint_online('things', 'ck_things_ranked')", "drop_column_contract('things', 'rank')"],
        "expand",
    ),
    "no longer required": (
        lambda metadata: replace(metadata, sa.Column("name", sa.String(50))),
        ["drop_not_null_online('things', 'name')"],
        ["set_not_null_online('things', 'name')"],
        "expand",
    ),
    "another default": (
        lambda metadata: replace(metadata, sa.Column("kind", sa.String(10), server_default="todo", nullable=False)),
        ["""set_default_online('things', 'kind', "'todo'")"""],
        ["""set_default_online('things', 'kind', "'note'::character varying")"""],
        "expand",
    ),
    "longer text": (
        lambda metadata: replace(metadata, sa.Column("name", sa.String(80), nullable=False)),
        ["widen_text_online('things', 'name', 'VARCHAR(80)')"],
        [],
        "expand",
    ),
    "wider number": (
        lambda metadata: replace(metadata, sa.Column("size", sa.BigInteger, index=True)),
        ["change_type_online('things', 'size', 'BIGINT')"],
        ["change_type_online('things', 'size', 'INTEGER')", "drop_shadow_contract('things', 'size')"],
        "expand",
    ),
    "column gone from the model": (
        lambda metadata: remove(metadata, "kind"),
        ["retire_column_online('things', 'kind')"],
        ["reinstate_column_online('things', 'kind')"],
        "expand",
    ),
    "required column gone from the model": (
        lambda metadata: remove(metadata, "name"),
        ["""retire_column_online('things', 'name', default="''")"""],
        ["reinstate_column_online('things', 'name')", "set_default_online('things', 'name', None)"],
        "expand",
    ),
    "column gone with its index": (
        lambda metadata: remove(metadata, "size"),
        ["retire_column_online('things', 'size')"],
        ["reinstate_column_online('things', 'size')"],
        "expand",
    ),
    "column gone with its unique constraint": (
        lambda metadata: remove(metadata, "code"),
        ["retire_column_online('things', 'code')"],
        ["reinstate_column_online('things', 'code')"],
        "expand",
    ),
    "index gone": (
        lambda metadata: things(metadata).indexes.clear(),
        ["drop_index_online('ix_things_size')"],
        ["create_index_online('ix_things_size', 'things', ['size'])"],
        "expand",
    ),
    "unique constraint gone": (
        lambda metadata: things(metadata).constraints.remove(unique_of(things(metadata))),
        ["drop_constraint_online('things', 'uq_things_code')"],
        ["add_unique_online('things', 'uq_things_code', ['code'])"],
        "contract",
    ),
    "table gone from the models": (
        lambda metadata: metadata.remove(metadata.tables["owners"]),
        ["retire_table_online('owners')"],
        ["reinstate_table_online('owners')"],
        "expand",
    ),
}
