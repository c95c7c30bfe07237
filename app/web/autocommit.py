"""The requests that read, so that their statements need no transaction.

A GET sends its statements without BEGIN and ROLLBACK, which are a round trip each. So does a POST until it has been let
in. Nothing is lost: at READ COMMITTED each statement sees a snapshot of its own anyway, and a GET writes at most one
row. While the page is rendered, no transaction is open that would keep VACUUM or a pooler waiting.
"""

from flask import current_app, g, request

from app.web.access import is_signed_in_write
from app.web.marks import mark_of, marking

# A view whose GET needs a transaction: a server-side cursor, SET LOCAL, or several rows that are written.
in_transaction = marking(is_in_transaction=True)


def begin() -> None:
    """Note how the request uses the database, for app/extensions.py and app/database/engine.py.

    Call it before what first asks the database, but for the boot gate: that looks at the schema in a transaction.
    """
    g.in_autocommit = False
    if not current_app.extensions["boot_gate"].is_open:
        return
    if request.method in ("GET", "HEAD"):
        g.in_autocommit = not mark_of(request.endpoint, "is_in_transaction")
    else:
        g.in_autocommit = is_signed_in_write()


def begin_transactions() -> None:
    """Let the session write, with a connection that it takes now. Nothing of the request is uncommitted."""
    g.in_autocommit = False
