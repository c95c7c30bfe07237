"""A small site with the pages of the smoke journey, which serves what the stand-in for Heroku says, and can break."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

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

    def answer(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Return the status, and the text of a page or where a redirect leads."""
        path, _, query = path.partition("?")
        self.asked.append(f"{method} {path}")
        if found := self.broken.get(f"{method} {path}"):
            return found
        if path == "/readyz":
            status, state = self.readyz
            commit = (self.serving() or "")[:12] if self.tells_commit else None
            return status, json.dumps({"state": state, "commit": commit})
        if method == "POST":
            return self._post(path, fields)
        if path in PAGES:
            return 200, PAGES[path]
        if not self.accounts:
            return 302, "/sign-in?next=/notes"
        shown = [note for note in self.notes if query.removeprefix("q=") in note]
        items = "".join(f'<a href="/notes/7">{note}</a>' for note in shown)
        return 200, f'<main id="main">{items}</main>'

    def _post(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
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
def served(site: StandInSite) -> Iterator[str]:
    """Yield the address of the site."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer("POST", {name: value for name, [value] in parse_qs(body).items()})

        def _answer(self, method: str, fields: dict[str, str]) -> None:
            status, text = site.answer(method, self.path, fields)
            self.send_response(status)
            if status == 302:
                self.send_header("location", text)  # as HAProxy writes it
            self.end_headers()
            self.wfile.write(text.encode())
            with suppress(ConnectionError):  # the other side has had enough
                while self.path == site.trickling:
                    self.wfile.write(b" ")
                    time.sleep(TRICKLE)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
