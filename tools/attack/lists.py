"""Look for other people's rows in lists of the API, by the owner's cursors, words and keys."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta

from app.accounts.models import User
from app.notes import service
from app.notes import service as notes
from app.todos import service as todos
from tests.samples import samples
from tools.attack.finding import Finding
from tools.attack.tools import token_of
from tools.bench.client import Answer, Client
from tools.bench.site import Site

WORD = "kingfisher"  # in each text of the owner, and in none of anybody else
LISTS = (
    *("notes", "notes?q=owner", "notes?tag=owner", "notes?q=%23owner", "notes/archive", "notes/trash"),
    *("todos", "todos?sort=due", "todos?completed=true", "todos?completed=false"),
    *(each.path[1:] for each in samples()),
)
SEARCHES = (WORD, f"%23{WORD}", f"{WORD[:4]}*", "owner", "%25", "_", "%22%22", "a%20OR%20b", f"%22{WORD}%20owner%22")
CREATIONS: dict[str, object] = {
    "notes": {"title": "mine"},
    "notes/batch": [{"title": "mine"}],
    "todos": {"description": "mine"},
    **{each.path[1:]: each.fields for each in samples()},
}


def furnish(site: Site, owner: User) -> None:
    """Create more than a page of each list."""
    with site.app.app_context():
        for note_id in notes.create_notes(owner.id, [(f"{WORD} {number}", "text #owner") for number in range(90)])[:40]:
            service.archive_note(owner.id, note_id, archived=note_id % 8 != 0)
            if note_id % 8 == 0:
                notes.delete_note(owner.id, note_id)
        for number in range(120):
            todo_id = todos.create_todo(owner.id, f"{WORD} {number}", date(2026, 1, 1) + timedelta(number))
            todos.change_todo(owner.id, todo_id, completed=number % 2 == 0)
    for each in samples():
        site.rows(each.many)
        site.rows(f"UPDATE {each.table} SET title = '{WORD}' WHERE user_id = {owner.id}")


class Program:
    def __init__(self, site: Site, name: str) -> None:
        self.user = site.sign_up(name)
        self.headers = {"Authorization": f"Bearer {token_of(site, self.user)}", "Content-Type": "application/json"}
        self.client = Client(site.port)

    def get(self, path: str) -> Answer:
        return self.client.get(f"/api/v1/{path}", headers=self.headers)

    def create(self, path: str, key: str) -> Answer:
        headers, body = {**self.headers, "Idempotency-Key": key}, json.dumps(CREATIONS[path])
        return self.client.request("POST", f"/api/v1/{path}", headers=headers, body=body)


def pages(owner: Program) -> Iterator[str]:
    """Yield every page of each list, by the cursors that the owner gets."""
    for path in LISTS:
        cursor = ""
        while cursor is not None:
            page = path + ("&" if "?" in path else "?") + f"cursor={cursor}" if cursor else path
            yield page
            cursor = json.loads(owner.get(page).text)["next"]


def in_lists(site: Site) -> Finding:
    """Read as somebody else's program, by the owner's cursors and words, and create by the owner's keys."""
    finding = Finding("other people's rows, in lists of the API", "none of theirs")
    owner, taker = Program(site, "lister"), Program(site, "reader")
    furnish(site, owner.user)
    searches = [f"notes?q={words}&limit=100" for words in SEARCHES] + [f"notes?tag={tag}" for tag in (WORD, "owner")]
    shown = 0  # of the owner's rows to the owner, without which this would prove little
    for path in [*pages(owner), *searches, "notes/changes", "todos/changes", "profile"]:
        site.rows("DELETE FROM rate_limits")
        shown += owner.get(path).text.count(WORD)
        answer = taker.get(path)
        finding.expect(answer.status == 200 and WORD not in answer.text, f"{answer.status} {path}")
    for path in CREATIONS:
        theirs, own = owner.create(path, f"key of {path}"), taker.create(path, f"key of {path}")
        finding.expect(theirs.status == own.status < 300 and not set(ids(theirs)) & set(ids(own)), f"a key of {path}")
    exported = taker.get("export")
    finding.expect(exported.status == 200 and WORD not in unzipped(exported), f"{exported.status} export")
    finding.expect(shown > 500 and WORD in unzipped(owner.get("export")), "the owner has nothing to find")
    return finding


def ids(answer: Answer) -> list[str]:
    body = json.loads(answer.text)
    return [str(made["id"]) for made in body.get("notes", [body])]


def unzipped(answer: Answer) -> str:
    files = zipfile.ZipFile(io.BytesIO(answer.body))
    return "".join(files.read(name).decode(errors="replace") for name in files.namelist())
