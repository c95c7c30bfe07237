"""One effect of a migration, and what it is found from: one object before and after."""

from typing import NamedTuple

from online_migrations.guard.snapshot import Key, Snapshot, Thing

DEFAULT_SCHEMA = "public."


class Effect(NamedTuple):
    """
    Args:
        code: one of rules.py.
        subject: what it happens to, as a person writes it: "notes.pinned".
        table: with its schema, "public.notes"; "" for what belongs to no table.
        columns: of the table, that are taken, or of which a row must leave one out to be accepted.
        key: of the object, by which the statement that did it is found.
        leaves_all_out: whether a row must leave out all of the columns, not one of them.
        check: the condition of a CHECK, "(size < 10)", which such a row has to meet besides.
        default: that a column has now, as SQL; "" for none.
        column: that must not be NULL any more, or has lost its default.
        is_copied: whether what is taken can be made again of other columns, since the database computes it.
        unique: the name of a unique index or constraint that goes.
        rows: that were inserted or updated.
    """

    code: str
    subject: str
    table: str = ""
    columns: tuple[str, ...] = ()
    key: Key | None = None
    leaves_all_out: bool = False
    check: str = ""
    default: str = ""
    column: str = ""
    unique: str = ""
    is_copied: bool = False
    rows: int = 0


def qualified(table: str) -> str:
    """A table's name with its schema."""
    return table if "." in table else f"{DEFAULT_SCHEMA}{table}"


def in_schema(effect: Effect, schema: str) -> Effect:
    """The effect of an operation, which names a table as the search path finds it."""
    return effect._replace(table=f"{schema}.{shown(effect.table)}") if effect.table else effect


def on_table(code: str, table: str, *columns: str) -> Effect:
    """The effect of an operation on a table, or on columns of it."""
    name = qualified(table)
    return Effect(code, ".".join([shown(name), ", ".join(columns)]) if columns else shown(name), name, columns)


class Change(NamedTuple):
    """One object of the catalog, in the snapshot before and the one after; None: it is not there."""

    key: Key
    old: Thing | None
    new: Thing | None
    before: Snapshot
    after: Snapshot

    @property
    def there(self) -> Thing:
        """The object as it is now, or as it was."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - a key stands in one of the snapshots
        return found

    def effect(self, code: str, *columns: str) -> Effect:
        """An effect on the object; its table has the name that it had before."""
        thing = self.old or self.there
        owner = self.before.get(thing.table) if thing.table else None
        if owner is None:
            return on_table(code, thing.name, *columns)._replace(key=self.key)
        return Effect(code, f"{shown(owner.name)}.{thing.name}", owner.name, columns, self.key)

    def siblings(self) -> list[Thing]:
        """Return the other objects of this kind that are there afterwards, on the same table."""
        return [thing for key, thing in self.after.of(self.there.table, self.key[0]) if key != self.key]


def shown(name: str) -> str:
    """A name without its schema when that is the usual one."""
    return name.removeprefix(DEFAULT_SCHEMA)


def is_left_null(column: Thing) -> bool:
    """Tell whether the column is NULL in a row whose writer does not name it."""
    return not any(column.facts[fact] for fact in ("not_null", "has_default", "identity", "filled"))
