"""Operations on tables of another schema than the one that the search path begins with."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.release.operations.steps import ALWAYS, Step, run_steps
from app.release.sql.dialect import quote


@contextmanager
def in_schema(name: str) -> Iterator[None]:
    """Put a schema in front of the search_path, so that the operations in the block find and make things there.

    A table that is not there is looked for where it was before, so a foreign key may refer to one of the default
    schema.

    Args:
        name: of a schema that exists.

    SQL:
        SELECT set_config('search_path', …), and behind the block RESET search_path
            No lock.
    """
    front = quote(name).replace("'", "''")
    put_in_front = f"SELECT set_config('search_path', '{front}, ' || current_setting('search_path'), false)"
    run_steps(Step(put_in_front, ALWAYS, {}))
    try:
        yield
    finally:
        run_steps(Step("RESET search_path", ALWAYS, {}))
