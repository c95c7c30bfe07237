"""A small site with the pages of the smoke journey, which serves what the stand-in for Heroku says, and can break."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug import Request, Response
from werkzeug.serving import make_server

FORM = '<form><input name="csrf_token" type="hidden" value="a&amp;b"></form>'
TRICKLE = 0.02  # seconds between two letters
PAGES = {
    "/sign-in": f'<link rel="stylesheet" href="/site.css">{FORM}',
    "/sign-up": f'{FORM}<input name="nickname">',
    "/site.css": "p { margin: 0 }",
}


class StandInSite:
    """
    Args:
        serving: the commit that runs.
    """

    def __init__(self, serving: Callable[[], str | None]) -> None:
        self.serving = serving
        self.readyz: tuple[int, str] = (200, "at_head")
        self.tells_commit = True
        self.broken: dict[str, tuple[int, str]] = {}  # "GET /path": status and text
        self.trickling = ""  # the path whose answer comes letter by letter, without an end
        self.notes: list[str] = []
        self.accounts: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        status, text = self._answer(request)
        headers = {"location": text} if status == 302 else {}  # as HAProxy writes it
        text_or_trickle = self._trickle() if request.path == self.trickling else [text.encode()]
        return Response(text_or_trickle, status, headers)(environ, start_response)

    def _trickle(self) -> Iterator[bytes]:
        while True:
            yield b" "
            time.sleep(TRICKLE)

    def _answer(self, request: Request) -> tuple[int, str]:
        """Return the status, and the text of a page or where a redirect leads."""
        method, path = request.method, request.path
        self.asked.append(f"{method} {path}")
        if found := self.broken.get(f"{method} {path}"):
            return found
        if path == "/readyz":
            status, state = self.readyz
            commit = (self.serving() or "")[:12] if self.tells_commit else None
            return status, json.dumps({"state": state, "commit": commit})
        if method == "POST":
            return self._post(path, request.form)
        if path in PAGES:
            return 200, PAGES[path]
        if not self.accounts:
            return 302, "/sign-in?next=/notes"
        shown = [note for note in self.notes if request.args.get("q", "") in note]
        items = "".join(f'<a href="/notes/7">{note}</a>' for note in shown)
        return 200, f'<main id="main">{items}</main>'

    def _post(self, path: str, fields: Mapping[str, str]) -> tuple[int, str]:
        assert fields["csrf_token"] == "a&b"
        if path in ("/sign-up", "/sign-in"):
            self.accounts.add(fields["email"])
        if path == "/notes":
            self.notes.append(f"{fields['title']} {fields['content']}")
        if path in ("/mypage/delete", "/sign-out"):
            self.accounts.clear()
            return 302, "/"
        return 302, "/notes"


@contextmanager
def served(app: WSGIApplication) -> Iterator[str]:
    """Yield the address of a site."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
