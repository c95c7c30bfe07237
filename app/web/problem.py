"""JSON for programs, and problem+json (RFC 9457): what happened, what to do, and what more is known."""

from collections.abc import Mapping

from pydantic_core import to_json
from werkzeug.wrappers import Response


def as_json(data: object) -> bytes:
    """As JSON in UTF-8, times in RFC 3339 with their zone. The standard library's takes four times as long."""
    return to_json(data, fallback=str)  # a sentence may be one that is translated when it is read


class Problem(Exception):
    """An answer that says what is wrong. Nothing was changed.

    Args:
        title, detail: in the caller's language.
        more: further members, such as `errors`.
    """

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(status, title)
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
        self.status, self.headers = status, headers

    def answer(self) -> Response:
        return Response(as_json(self.body), self.status, self.headers, content_type="application/problem+json")
