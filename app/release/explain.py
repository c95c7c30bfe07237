"""What happened and what to type, for each way in which code and database can differ."""

from sqlalchemy.exc import DBAPIError

from app.release.state import AHEAD, AHEAD_CONTRACT, BEHIND, SchemaState

_NOT_UP_TO_DATE = (
    "The database is at {database} and the code at {code}; {count} pending: {pending}."
    " Apply them with: flask db upgrade — and then run this command again."
)
_AHEAD = (
    "The database is at {database}, ahead of this code at {code}: a newer release added {foreign}, on which this code"
    " runs. This command needs the newer code: git pull (or deploy the newer commit), then run it again."
)
_CONTRACT = (
    "The database is at {database}, ahead of this code at {code}, and {foreign} took away what this code uses."
    " Do not go back: deploy the newer commit again, mended if need be (roll forward)."
)
_UNKNOWN = (
    "The database is at {database}, and neither this code (at {code}) nor the database's ledger knows how {foreign}"
    " came about; nothing was changed. If it is the right database, find the revision's file with:"
    " git log --all -S {foreign} -- migrations/versions — and bring it back. Do not stamp: that hides the difference."
)


def safely_ahead(state: SchemaState) -> str:
    return (
        f"nothing to do: the database is at {state.database_revision}, ahead of this code at {state.code_head},"
        f" by steps that this code runs on ({_list(state.foreign)})"
    )


def failed_statement(error: DBAPIError) -> str:
    """In one sentence, what the database said of a step."""
    if error.connection_invalidated:
        return "The connection to the database was lost; what was finished stays. Run the same command again."
    reason = str(error.orig).splitlines()[0]
    statement = " ".join((error.statement or "").split())[:500]
    return f"PostgreSQL refused a step: {reason}. Mend what sent it and run the same command again. It was: {statement}"


def two_heads(state: SchemaState) -> str:
    return (
        f"The code has more than one head ({state.code_head}): two branches each added a revision. Join them with:"
        " flask db merge heads -m 'Merge' — and then run: flask db upgrade"
    )


def refusal(state: SchemaState) -> str:
    """Why a command cannot work on a database in this state."""
    sentence = {BEHIND: _NOT_UP_TO_DATE, AHEAD: _AHEAD, AHEAD_CONTRACT: _CONTRACT}.get(state.name, _UNKNOWN)
    return sentence.format(
        database=state.database_revision or "no revision",
        code=state.code_head,
        count=len(state.pending),
        pending=_list(state.pending),
        foreign=_list(state.foreign) or state.database_revision,
    )


def _list(names: list[str]) -> str:
    return ", ".join(names)
