"""The notebook can be installed: its manifest is in the reader's language, and its icons are there."""

from tests.visitor import Visitor


def test_the_manifest_leads_to_the_notes_with_icons_that_are_there(client: Visitor) -> None:
    answer = client.get("/manifest.webmanifest", headers={"Accept-Language": "ko"})
    assert answer.mimetype == "application/manifest+json"
    manifest = answer.get_json(force=True)
    assert (manifest["name"], manifest["lang"], manifest["start_url"]) == ("세미서클", "ko", "/notes")
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as image:
            assert image.mimetype == "image/png"
            assert len(image.data) > 100
