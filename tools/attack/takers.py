"""Take other people's things (IDOR) by the API: every operation on one thing, with the token of somebody else."""

import json
from collections.abc import Iterator
from typing import Any

from app.notes import service
from app.notes import service as notes
from app.todos import service as todos
from tools.attack.finding import Finding, fingerprint
from tools.attack.tools import age_rows, token_of
from tools.bench.client import Client
from tools.bench.site import Site, own_things, routes

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
LEAST = 500  # tries; fewer say little
ROUNDS, QUICK_ROUNDS = 21, 6  # each state of the owner's things by turns
BODIES = {"api.move_todo": {"direction": "up"}}
Try = tuple[str, str, object]  # method, path, body; None: no body, which most operations refuse


def put_away(site: Site, user_id: int, ids: dict[str, Any], turn: int) -> None:
    """Let the owner's things be in each state by turns: only what is in the trash can be restored, or deleted there."""
    with site.app.app_context():
        if turn % 3 == 1:
            service.archive_note(user_id, ids["note_id"], archived=True)
        elif turn % 3 == 2:
            notes.delete_note(user_id, ids["note_id"])
            todos.delete_todo(user_id, ids["todo_id"])


def tries(site: Site, ids: dict[str, Any], own: dict[str, Any]) -> Iterator[Try]:
    """Yield every operation on one thing of the owner, and those that take another id, or more, in their body or query.

    Args:
        own: ids of the taker.
    """
    of_one = {rule.endpoint for rule in site.app.url_map.iter_rules() if rule.arguments}
    for method in METHODS:
        for endpoint, path in routes(site.app, method, ids):
            if endpoint in of_one and endpoint.startswith("api."):
                yield method, path, BODIES.get(endpoint, {} if method == "PATCH" else None)
    note, todo, mine = (
        f"/api/v1/notes/{ids['note_id']}",
        f"/api/v1/todos/{ids['todo_id']}",
        f"/api/v1/todos/{own['todo_id']}",
    )
    yield "PATCH", note, {"title": "taken", "content": "taken"}
    yield "PATCH", todo, {"description": "taken", "completed": True}
    yield "PATCH", todo, {"due_on": "2026-12-01"}
    yield "POST", f"{todo}/move", {"onto": own["todo_id"]}
    yield "POST", f"{mine}/move", {"onto": ids["todo_id"]}


def other_peoples_by_token(site: Site, quick: bool) -> Finding:
    """Ask with a token that may do everything with what is its owner's."""
    finding = Finding("other people's ids, by the API", "404, and their rows stay")
    alice, mallory = site.sign_up("owner"), site.sign_up("taker")
    token, own = token_of(site, mallory), own_things(site, mallory)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "If-Match": "*"}
    program = Client(site.port)
    for turn in range(QUICK_ROUNDS if quick else ROUNDS):
        ids = own_things(site, alice)
        put_away(site, alice.id, ids, turn)
        age_rows(site)
        before = fingerprint(site, alice.id)
        site.rows("DELETE FROM rate_limits")
        for method, path, body in tries(site, ids, own):
            sent = None if body is None else json.dumps(body)
            answer = program.request(method, path, body=sent, headers=headers)
            finding.expect(answer.status == 404, f"{answer.status} {method} {path}")
        finding.expect(fingerprint(site, alice.id) == before, "rows changed")
    finding.expect(quick or finding.tries >= LEAST, f"only {finding.tries} tries")
    return finding
