"""Row ids in URLs: 1 … 2⁶³−1 in ASCII digits, the range of a bigint key."""

from flask import Flask
from werkzeug.routing import IntegerConverter, Map


class RowIdConverter(IntegerConverter):
    """`<id:note_id>`. The built-in `<int:…>` takes longer numbers and other scripts' digits; PostgreSQL would fail."""

    regex = "[0-9]{1,19}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=2**63 - 1)


def init_app(app: Flask) -> None:
    app.url_map.converters["id"] = RowIdConverter
    app.url_map.merge_slashes = False  # else a path with two redirects, to whatever host the request names
