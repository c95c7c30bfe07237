"""What every template can count on: no blank lines where block tags stand, and cheap URLs for the rows of a list."""

import secrets
from typing import Any

from flask import Flask, url_for

# Stands for the id in a URL. It is drawn when the process starts, so that no text of a reader can contain it.
PLACEHOLDER = secrets.randbelow(2**62) + 1


def init_app(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["url_pattern"] = url_pattern


def url_pattern(endpoint: str, argument: str, **values: Any) -> str:
    """The URLs of a list's rows, as a printf pattern: `url_pattern("notes.show", "note_id") % 17` is "/notes/17".

    `url_for` takes about 10 µs. A page of 20 rows with five links each would pay 1 ms for it, a tenth of its time; a
    pattern is built once a page, and filled in within 0.2 µs.

    Args:
        endpoint: as for `url_for`.
        argument: the argument that differs from row to row: an id, or a text that is percent-encoded already.
        values: the other arguments of `url_for`, the same for all rows.
    """
    arguments: dict[str, Any] = {**values, argument: PLACEHOLDER}
    return url_for(endpoint, **arguments).replace("%", "%%").replace(str(PLACEHOLDER), "%s")
