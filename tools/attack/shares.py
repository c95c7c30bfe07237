"""Try secret links of shared notes: made up, ended or in the trash, and learn what one tells that is open."""

from collections.abc import Iterator

from app.accounts.models import User
from app.notes import service as notes
from app.notes import sharing
from tools.attack.finding import Finding
from tools.bench.client import Client
from tools.bench.site import Site


def _links(site: Site, user: User) -> tuple[int, dict[str, str]]:
    """Return the id of a note that is shared, and a token of each kind."""
    with site.app.app_context():
        ids = {kind: notes.create_note(user.id, kind, f"{kind} #tag") for kind in ("open", "ended", "in the trash")}
        tokens = {kind: sharing.share_note(user.id, note_id) for kind, note_id in ids.items()}
        sharing.stop_sharing(user.id, ids["ended"])
        notes.delete_note(user.id, ids["in the trash"])
    return ids["open"], tokens


def shared_links(site: Site) -> Finding:
    finding = Finding("links of shared notes", "open: the note, nothing of whose; else 404; nobody else ends it")
    owner, mallory = site.sign_up("sharer"), site.sign_up("onlooker")
    note_id, tokens = _links(site, owner)
    link = f"/s/{tokens.pop('open')}"
    made_up = {
        "cut": link[3:-1],
        "longer": f"{link[3:]}A",
        "SQL": "%27%20OR%201=1--",
        "NUL": "%00" * 22,
        "id": f"{note_id}",
    }
    for client in (site.client(mallory), Client(site.port)):
        for kind, token in {**tokens, **made_up}.items():
            finding.expect(client.get(f"/s/{token}").status == 404, kind)
        for shared in ("0", "1"):
            client.submit(f"/notes/{note_id}/share", shared=shared)
    stranger = Client(site.port)
    answer = stranger.get(link)
    finding.expect(
        answer.status == 200 and "open" in answer.text, f"{answer.status} open, after others tried to end it"
    )
    for secret in (owner.nickname, owner.email, f"/notes/{note_id}", "?tag=", "csrf_token"):
        finding.expect(secret not in answer.text, f"it says {secret}")
    finding.expect("noindex" in answer.headers.get("X-Robots-Tag", ""), "search engines may list it")
    finding.expect(not stranger.cookies, "it sets a cookie")
    return finding


def attacks(site: Site, quick: bool) -> Iterator[Finding]:
    yield shared_links(site)
