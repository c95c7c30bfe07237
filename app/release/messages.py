"""Error messages for each schema state: what happened, and which command to type."""

from sqlalchemy.exc import DBAPIError

from app.release.errors import server_message
from app.release.schema_state import AHEAD, AHEAD_CONTRACT, BEHIND, SchemaState

_NOT_UP_TO_DATE = (
    "The database is at {database} and the code at {code}; {count} pending: {pending}."
    " Apply them with: flask db upgrade — and then run this command again."
)
_AHEAD = (
    "The database is at {database}, ahead of this code at {code}: a newer release added {foreign}, on which this code"
    " runs. This command needs the newer code: git pull (or deploy the newer commit), then run it again."
)
_CONTRACT = (
    "The database is at {database}, ahead of this code at {code}, and {foreign} took away what this code"
    " uses{obstacles}. Do not go back: deploy the newer commit again, fixed if need be (roll forward)."
)
_UNKNOWN = (
    "The database is at {database}, and neither this code (at {code}) nor the database's ledger knows how {foreign}"
    " came about; nothing was changed. If it is the right database, find the revision's file with:"
    " git log --all -S {foreign} -- migrations/versions — and bring it back. Do not stamp: that hides the difference."
)


def ahead_and_compatible(state: SchemaState) -> str:
    """After a rollback: all newer steps are expand steps, so there is nothing to do."""
    return (
        f"nothing to do: the database is at {state.database_revision}, ahead of this code at {state.code_head},"
        f" by steps that this code runs on ({_list(state.foreign)})"
    )


def failed_statement(error: DBAPIError) -> str:
    """PostgreSQL refused a statement, or the connection broke."""
    if error.connection_invalidated:
        return "The connection to the database was lost; what was finished stays. Run the same command again."
    statement = " ".join((error.statement or "").split())[:500]
    return (
        f"PostgreSQL refused a step: {server_message(error)}. Fix what sent it and run the same command again."
        f" It was: {statement}"
    )


def two_heads(state: SchemaState, unmerged: list[str]) -> str:
    if not unmerged:
        return f"The code has more than one head ({state.code_head}). Apply all of them with: flask db upgrade heads"
    return (
        f"The code has more than one head ({_list(unmerged)}): two branches each added a revision. Join them with:"
        " flask db merge heads -m 'Merge' — and then run: flask db upgrade"
    )


def refusal(state: SchemaState) -> str:
    """Why a command cannot run in this schema state."""
    sentence = {BEHIND: _NOT_UP_TO_DATE, AHEAD: _AHEAD, AHEAD_CONTRACT: _CONTRACT}.get(state.name, _UNKNOWN)
    return sentence.format(
        database=state.database_revision or "no revision",
        code=state.code_head,
        count=len(state.pending),
        pending=_list(state.pending),
        foreign=_list(state.foreign) or state.database_revision,
        obstacles=f" ({'; '.join(state.obstacles)})" if state.obstacles else "",
    )


def _list(names: list[str]) -> str:
    return ", ".join(names)
