"""Statements that nobody here has thought about.

The other rules know what is dangerous; SQL has more ways than they know. So what is not one of the statements that
migrations are made of is a finding, for a person to look at and to excuse with `safety_assured`.
"""

import inspect
import re
from collections.abc import Iterator

from app.release.lint.rules import Broken, Revision, alterations

# Begin statements of which the other rules, or squawk, say what is wrong with them, if anything.
FAMILIAR = re.compile(
    r"(?:CREATE (?:UNIQUE )?INDEX|CREATE TABLE|CREATE (?:OR REPLACE )?VIEW|CREATE SEQUENCE|CREATE EXTENSION"
    r"|CREATE SCHEMA|CREATE TYPE|ALTER TABLE|ALTER INDEX|ALTER TYPE \S+ ADD VALUE"
    r"|DROP (?:TABLE|INDEX|VIEW|SEQUENCE|TYPE|DATABASE)|COMMENT ON|UPDATE|DELETE|INSERT INTO|MERGE|WITH|TRUNCATE"
    r"|REINDEX|VACUUM|CLUSTER|DO|SET LOCAL|ANALYZE|REFRESH MATERIALIZED VIEW CONCURRENTLY)\b",
    re.IGNORECASE,
)
# What ALTER TABLE does in migrations; rules and squawk know these.
FAMILIAR_ACTION = re.compile(
    r"(?:ADD|DROP (?!TRIGGER|RULE)|ALTER|RENAME|VALIDATE|OWNER TO)\b|(?:SET|RESET) \(",
    re.IGNORECASE,
)
ASKS_HOW_IT_IS_RUN = re.compile(r"\bas_sql\b|\bis_offline_mode\b")


def is_unfamiliar(revision: Revision) -> Iterator[Broken]:
    for statement in revision.statements:
        if not statement.by_operation and not FAMILIAR.match(statement.bare):
            yield Broken("unfamiliar", statement, " ".join(statement.bare.split()[:3]))
    for statement, (table, action) in alterations(revision):
        if not statement.by_operation and not FAMILIAR_ACTION.match(action):
            yield Broken("unfamiliar", statement, f"ALTER TABLE {table} {' '.join(action.split()[:3])}")


def does_something_else_when_printed(revision: Revision) -> Iterator[Broken]:
    """What lint, plan and --sql see is what is printed."""
    if ASKS_HOW_IT_IS_RUN.search(inspect.getsource(revision.script.module.upgrade)):
        yield Broken("hidden-when-printed", None, "upgrade()")
