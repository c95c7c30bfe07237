"""Pages name the rules by which Chromium asks for the next page while a link is being pressed."""

from typing import Any

from app.accounts.models import User
from app.notes import service as notes
from tests.visitor import Visitor


def rule_of(visitor: Visitor) -> dict[str, Any]:
    """As a browser reads it that knows such rules."""
    with visitor.get(visitor.get("/notes").headers["Speculation-Rules"].strip('"')) as answer:
        assert answer.mimetype == "application/speculationrules+json"
        [rule] = answer.get_json(force=True)["prefetch"]
        found: dict[str, Any] = rule
        return found


def test_a_page_is_asked_for_when_its_link_is_pressed_and_not_when_it_is_pointed_at(signed_in: Visitor) -> None:
    assert rule_of(signed_in)["eagerness"] == "conservative"


def test_what_is_asked_for_and_perhaps_not_shown_writes_nothing(
    signed_in: Visitor, alice: User, statements: list[str]
) -> None:
    note_id = notes.create_note(alice.id, "a note", "")
    patterns = rule_of(signed_in)["where"]["href_matches"]
    assert "/notes/:id(\\d+)" in patterns
    for pattern in patterns:
        statements.clear()
        path = pattern.replace("?*", "?q=a").replace(":id(\\d+)", str(note_id))
        assert signed_in.get(path).status_code in (200, 404)
        assert not [sent for sent in statements if not sent.lstrip().startswith(("SELECT", "WITH"))]


def test_what_is_no_page_names_no_rules(signed_in: Visitor) -> None:
    for path in ("/healthz", "/manifest.webmanifest"):
        assert "Speculation-Rules" not in signed_in.get(path).headers
