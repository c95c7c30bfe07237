"""The messages of lint rules: what would happen, and what to write instead. First our rules, then squawk's."""

from typing import NamedTuple


class Advice(NamedTuple):
    what: str  # {subject} stands for the table, column or index
    instead: str


OURS: dict[str, Advice] = {
    "phase-missing": Advice(
        "Without a phase nobody knows whether the previous release survives {subject}, so a rollback will be refused.",
        'Write phase = "expand" when the previous release runs on the result, else phase = "contract".',
    ),
    "phase-unknown": Advice(
        "{subject} is no phase, so it counts as a contract and a rollback will be refused.",
        'Write phase = "expand" or phase = "contract".',
    ),
    "revision-twice": Advice(
        "{subject} have the same revision: Alembic applies one of them and leaves the other out without an error.",
        "Give the one that came later the next number, in its name and as its revision, and let it follow the other.",
    ),
    "unreadable": Advice(
        "upgrade() cannot say its SQL without a database ({subject}), so neither lint, plan nor --sql can show it.",
        "Write statements with op.execute(), or an operation of app.release.operations, which looks by itself.",
    ),
    "unfamiliar": Advice(
        "{subject} is no statement that migrations here are made of: nobody has looked what it does to a live service.",
        'Use an operation of app.release.operations, or look at it and say why it is safe: safety_assured = "…".',
    ),
    "hidden-when-printed": Advice(
        "{subject} asks whether its SQL is only printed, so lint, plan and --sql may see less than a database does.",
        "Write the same statements for both; an operation of app.release.operations looks at the database by itself.",
    ),
    "unreadable-block": Advice(
        "What a DO block does is text to everybody but the server, so nobody can tell what it locks.",
        "Write its statements one by one with op.execute(), in Python's own if and for.",
    ),
    "whole-table-write": Advice(
        "Every row of {subject} stays locked until the last one is written; requests that write one wait for that.",
        "Use backfill(), which writes and commits a thousand rows at a time and goes on where it was stopped.",
    ),
    "keeps-invalid-index": Advice(
        "After a build that failed the name {subject} belongs to an INVALID index; IF NOT EXISTS keeps that, for ever.",
        "Use create_index_online(), which drops an INVALID one and builds it anew.",
    ),
    "not-rerunnable": Advice(
        "This is committed before the database's revision moves; stopped after it, the next upgrade fails or does it"
        " twice ({subject} …).",
        "Give the step a revision of its own, or use an operation of app.release.operations, which looks first.",
    ),
    "validate-under-lock": Advice(
        "The lock under which {subject} was added is held while VALIDATE reads the whole table: all requests wait.",
        "Use add_check_online() or add_foreign_key_online(), which do the two in transactions of their own.",
    ),
    "set-not-null-unchecked": Advice(
        "SET NOT NULL reads the whole table under ACCESS EXCLUSIVE to look for a NULL in {subject}: all requests wait.",
        "Use set_not_null_online(), which validates a CHECK first, beside the requests.",
    ),
    "table-rewrite": Advice(
        "The value differs from row to row, or the storage changes, so all of {subject} is written anew under ACCESS"
        " EXCLUSIVE: no request can even read.",
        "Use add_column_online() with a constant default or none, then backfill() and set_not_null_online().",
    ),
    "breaks-previous-release": Advice(
        "The previous release, which serves while this runs, still uses {subject} as it was; its requests would fail.",
        "First release code that does without it, with retire_column_online() or retire_table_online(); then do this in"
        ' a revision with phase = "contract".',
    ),
    "drops-what-is-mapped": Advice(
        "The models of this code still map {subject}; every query of them fails once it is gone.",
        "Take it out of the model first and release that; one release later drop it with drop_column_contract()"
        " or drop_table_contract().",
    ),
    "renaming-table": Advice(
        "The previous release, which serves while this runs, knows {subject} by its old name only.",
        "Use rename_with_view(), which leaves a view of the old name; drop_compat_view() one release later.",
    ),
    "renaming-column": Advice(
        "The previous release, which serves while this runs, knows {subject} by its old name only.",
        "Name the attribute anew in the model and leave the column: mapped_column('old_name'); or add a column,"
        " backfill() it and retire the old one.",
    ),
}

SQUAWK: dict[str, Advice] = {
    "adding-required-field": Advice(
        "The previous release inserts rows without the new column, and a table that has rows refuses it: both fail.",
        "Use add_column_online() with a constant server_default.",
    ),
    "require-concurrent-index-creation": Advice(
        "Nobody can write to the table until the index is built.",
        "Use create_index_online().",
    ),
    "require-concurrent-index-deletion": Advice(
        "Dropping an index takes ACCESS EXCLUSIVE on its table, behind which every request queues.",
        "Use drop_index_online().",
    ),
    "disallowed-unique-constraint": Advice(
        "Nobody can read or write the table until the constraint's index is built.",
        "Use add_unique_online(), which builds the index beside the requests and then takes it.",
    ),
    "constraint-missing-not-valid": Advice(
        "The whole table is read under the lock to check its rows: requests wait.",
        "Use add_check_online().",
    ),
    "adding-foreign-key-constraint": Advice(
        "Nobody can write to either table while the rows of one are looked up in the other.",
        "Use add_foreign_key_online().",
    ),
    "changing-column-type": Advice(
        "Most changes of a type write the whole table anew under ACCESS EXCLUSIVE, and the previous release may not"
        " understand the new one.",
        "Use widen_text_online() for a text that only gets longer; else add a column of the new type with"
        " add_column_online(), backfill() it and retire the old one.",
    ),
    "ban-concurrent-index-creation-in-transaction": Advice(
        "PostgreSQL refuses CONCURRENTLY inside a transaction, so the release fails.",
        "Use create_index_online().",
    ),
    "adding-serial-primary-key-field": Advice(
        "Nobody can read or write the table until the key's index is built.",
        "Build a unique index with create_index_online() first, then ADD PRIMARY KEY USING INDEX.",
    ),
}
