"""Models as people report them to Alembic, SQLAlchemy and Flask-Migrate, or write them by their recipes."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Computed, ForeignKey, Identity, Index, Integer, String, Text, func, text
from sqlalchemy.dialects import postgresql as pg

ID = partial(Column, "id", Integer, primary_key=True)


class GUID(sa.TypeDecorator[Any]):
    """Platform-independent GUID, the recipe of SQLAlchemy's documentation."""

    impl = sa.CHAR
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return dialect.type_descriptor(pg.UUID() if dialect.name == "postgresql" else sa.CHAR(32))


class JSONEncoded(sa.TypeDecorator[Any]):
    """Marshal JSON strings, the recipe of SQLAlchemy's documentation."""

    impl = sa.VARCHAR(255)
    cache_ok = True


class Point(sa.types.UserDefinedType[Any]):
    """Stand for a type of a package, as those of pgvector and GeoAlchemy, which SQLAlchemy does not reflect."""

    cache_ok = True

    def __init__(self, shape: str = "POINT") -> None:
        self.shape = shape

    def get_col_spec(self, **_: Any) -> str:
        return self.shape


class Unsaid(Point):
    """Stand for one whose repr() does not say how it was made."""

    def __repr__(self) -> str:
        return "Unsaid()"


def of_others(metadata: sa.MetaData) -> None:
    """Add a table for each."""

    def of(name: str, *items: Any, **options: Any) -> None:
        sa.Table(name, metadata, *items, **options)

    numbers = sa.Sequence("invoice_numbers", start=1000, increment=5)
    # fmt: off
    of("guids", Column("id", GUID, primary_key=True, server_default=func.gen_random_uuid()),
       Column("of", sa.ARRAY(GUID)))
    of("documents", ID(), Column("data", sa.JSON, server_default="{}"),
       Column("more", pg.JSONB, server_default=text("'[]'::jsonb")))
    of("encoded", ID(), Column("data", JSONEncoded), Column("at", Point), Column("line", Point("LSEG")),
       Column("points", sa.ARRAY(Point)))
    of("variants", ID(),
       Column("data", sa.JSON().with_variant(pg.JSONB(), "postgresql"), nullable=False, server_default=text("'{}'")))
    of("expressions", ID(), Column("name", Text), Index("ix_expressions", text("(name || '-' || id::text)")))
    of("lowered", ID(), Column("email", String(120)), Index("uq_lowered", text("lower(email)"), unique=True))
    of("latest", ID(), Column("at", sa.DateTime), Index("ix_latest", text("at DESC NULLS LAST"), "id"))
    of("operators", ID(), Column("name", String),
       Index("ix_operators", "name", postgresql_ops={"name": "text_pattern_ops"}))
    of("covered", ID(), Column("a", Integer), Column("b", Integer),
       Index("ix_covered", "a", postgresql_include=["b"], postgresql_with={"fillfactor": 70}))
    of("searched", *(ID(), Column("title", Text), Column("body", Text)),
       Column("words", pg.TSVECTOR, Computed("to_tsvector('english', coalesce(title, '') || body)", persisted=True)),
       Index("ix_searched", "words", postgresql_using="gin"))
    of("tagged", ID(), Column("tags", pg.ARRAY(Text), server_default="{}", nullable=False),
       Index("ix_tagged", "tags", postgresql_using="gin"))
    of("tickets", ID(), Column("name", Text, server_default=text("md5(random()::text)")),
       Column("at", Text, server_default=text("clock_timestamp()::text")))
    of("invoices", ID(), Column("number", Integer, numbers, server_default=numbers.next_value()),
       Column("name", Text, server_default=text("'T-' || nextval('invoice_numbers')")))
    of("stamped", ID(), Column("at", sa.DateTime(timezone=True), server_default=func.now()),
       Column("utc", sa.DateTime, server_default=text("timezone('utc', now())")),
       Column("day", sa.Date, server_default=func.current_date()))
    of("quoted", ID(), Column("a", Text, server_default="'"), Column("b", Text, server_default="'it'"),
       Column("c", Text, server_default="a\\b:c %(d)s {e}"), Column("d", Text, server_default=""))
    of("flags", ID(), Column("a", sa.Boolean, server_default="0"), Column("b", sa.Boolean, server_default="t"),
       Column("c", sa.Boolean, server_default=sa.true(), nullable=False),
       Column("d", sa.Boolean(create_constraint=True, name="d")))
    of("amounts", ID(), Column("a", sa.Numeric(10, 2), server_default="0.00"),
       Column("b", sa.Float, server_default="1e3"), Column("c", sa.BigInteger, server_default="-1"),
       Column("d", Integer, server_default=text("(1 + 1)")))
    of("moods", ID(), Column("mood", sa.Enum("it's", "100%", native_enum=False, create_constraint=True, name="mood")),
       Column("plain", sa.Enum("a", "b", native_enum=False)))
    of("ranges", ID(), Column("during", pg.TSTZRANGE),
       pg.ExcludeConstraint((sa.column("during"), "&&"), name="ex_during", using="gist"))
    of("checked", ID(), Column("a", Integer, CheckConstraint("a > 0", name="within")), Column("b", String(5)),
       CheckConstraint("b IN ('x', 'y') AND a BETWEEN 1 AND 9", name="beside"))
    of("deferred", ID(), Column("a", Integer), sa.UniqueConstraint("a", deferrable=True, initially="DEFERRED"))
    of("alike", ID(), Column("a", Integer), Column("b", Integer),
       sa.UniqueConstraint("a", "b", postgresql_nulls_not_distinct=True),
       sa.UniqueConstraint("b", postgresql_include=["a"]))
    of("trees", ID(), Column("parent_id", ForeignKey("trees.id", ondelete="NO ACTION")),
       Column("of_id", ForeignKey("trees.id", ondelete="set null", onupdate="CASCADE", deferrable=True)),
       Column("root_id", ForeignKey("trees.id", deferrable=True, initially="DEFERRED")))
    of("pairs", Column("a", Integer, primary_key=True), Column("b", Integer, primary_key=True))
    of("of_pairs", ID(), Column("a", Integer), Column("b", Integer),
       sa.ForeignKeyConstraint(["b", "a"], ["pairs.b", "pairs.a"], match="FULL"), sa.UniqueConstraint("b", "a"))
    of("members", Column("tree_id", ForeignKey("trees.id", ondelete="CASCADE"), primary_key=True),
       Column("id", ForeignKey("guids.id"), primary_key=True, index=True))
    of("engineers", Column("id", ForeignKey("trees.id"), primary_key=True),
       Column("type", String(20), index=True, nullable=False))
    of("nullable keys", Column("a b", Integer, key="ab", primary_key=True, nullable=True, autoincrement=False),
       Column("c", Integer, Identity(start=10, cycle=True, maxvalue=99)))
    of("Order", Column("user", Integer, primary_key=True), Column("Group", Text, index=True),
       Column("%s", Text, unique=True), Column("값", Text, CheckConstraint("\"값\" <> '%'", name="%")))
    of("commented", ID(comment=""), Column("a", Text, comment='it\'s 100% "so"\n'), Column("b", Text, comment=" "),
       comment="")
    of("n" * 60, ID(), Column("c" * 60, Integer, index=True), Column("d" * 63, Integer, unique=True))
    of("unlogged", ID(), Column("a", Text, unique=True), prefixes=["UNLOGGED"], postgresql_with={"fillfactor": 50})
    of("precise", ID(), Column("a", pg.TIMESTAMP(precision=0)), Column("b", pg.TIME(timezone=True, precision=3)),
       Column("c", pg.INTERVAL(fields="YEAR TO MONTH")), Column("d", sa.Text(collation="C"), index=True))
    of("serials", Column("id", sa.BigInteger, primary_key=True, autoincrement=True),
       Column("other", sa.SmallInteger, Identity(always=True, increment=2)))
    of("chickens", ID(), Column("egg_id", ForeignKey("eggs.id")))
    of("eggs", ID(), Column("chicken_id", ForeignKey("chickens.id", use_alter=True)),
       Column("laid_by", ForeignKey("chickens.id")))
    of("versioned", ID(), Column("xmin", Integer, system=True), Column("a", Text, index=True),
       Index("ix_versioned", "a", postgresql_concurrently=True))
    of("nameless", ID(), Column("during", pg.TSTZRANGE), pg.ExcludeConstraint(("during", "&&")))
    of("flags_of_schools", Column("school", Text), postgresql_inherits="flags")
    of("events", Column("at", sa.Date, primary_key=True), Column("id", Integer, primary_key=True),
       Column("name", Text, index=True), postgresql_partition_by="RANGE (at)")
    # fmt: on


class Advice(NamedTuple):
    """Say of a table what its model has, what it asks for, the sentence that refuses that, and what follows it."""

    before: Callable[[], list[Any]]
    asked: Callable[[], list[Any]]
    said: str
    followed: Callable[[], list[Any]]


def x(kind: Any, *items: Any, **options: Any) -> Callable[[], list[Any]]:
    return lambda: [Column("x", kind, *(item() for item in items), **options)]


COLOURS = sa.Enum("red", "blue", native_enum=False, create_constraint=True, name="colours")
NATIVE = sa.Enum("red", "blue", name="native")


class Hidden(sa.TypeDecorator[Any]):
    """Hide a native enum."""

    impl, cache_ok = NATIVE, True


BOTH = partial(CheckConstraint, "x <@ ARRAY['red', 'blue']", name="both")
FETCHED = sa.FetchedValue()
ADVICE = {
    "coloured": Advice(list, x(Hidden), "native_enum=False, create_constraint=True", x(COLOURS)),
    "recoloured": Advice(x(String(4)), x(NATIVE), "native_enum=False, create_constraint=True", x(COLOURS)),
    "striped": Advice(list, x(pg.ARRAY(NATIVE)), "ARRAY.Text. with a rule: CheckConstraint", x(pg.ARRAY(Text), BOTH)),
    "shared": Advice(
        *(list, x(sa.ARRAY(pg.DOMAIN("share", Integer))), "Make it INTEGER, .*as a CheckConstraint"),
        x(sa.ARRAY(Integer), partial(CheckConstraint, "0 < ALL (x)", name="share")),
    ),
    "retyped": Advice(
        *(x(Text), x(Integer), r"TEXT to INTEGER.*by hand: (add_synced_column_online.*)$"),
        lambda: [Column("x", Text), Column("x_new", Integer)],
    ),
    "required": Advice(list, x(Text, nullable=False), "constant", x(Text, nullable=False, server_default="a")),
    "computed": Advice(
        *(list, x(Integer, partial(Computed, "id * 2", persisted=True))),
        r"by hand: (add_computed_column_online.*); and in the model write FetchedValue",
        lambda: [Column("x", Integer, FETCHED, server_onupdate=FETCHED)],
    ),
    "numbered": Advice(list, x(Integer, Identity), "Add it without, and nullable", x(Integer)),
    "called": Advice(x(Text), lambda: [Column("y", Text)], r'y = mapped_column\("x", …\)', x(Text, key="y")),
    "nameless": Advice(list, x(sa.Enum("a", native_enum=False, create_constraint=True)), "has no name", x(COLOURS)),
    "single": Advice(list, x(Text, unique=True, server_default="a"), "Begin without a default", x(Text, unique=True)),
    "sorted": Advice(
        *(x(Text), x(Text(collation="C")), "Add a column under a new name"),
        lambda: [Column("x", Text), Column("y", Text(collation="C"))],
    ),
    "kinds": Advice(
        lambda: [Column("x", Text), Index("same", "x", unique=True)],
        lambda: [Column("x", Text), sa.UniqueConstraint("x", name="same")],
        "Give it another name",
        lambda: [Column("x", Text), sa.UniqueConstraint("x", name="other")],
    ),
}
