"""The web app manifest, for installation, is in the reader's language and its icons exist."""

from tests.visitor import Visitor


def test_the_manifest_starts_at_the_notes_and_its_icons_exist(client: Visitor) -> None:
    answer = client.get("/manifest.webmanifest", headers={"Accept-Language": "ko"})
    assert answer.mimetype == "application/manifest+json"
    manifest = answer.get_json(force=True)
    assert (manifest["name"], manifest["lang"], manifest["start_url"]) == ("세미서클", "ko", "/notes")
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as image:
            assert image.mimetype == "image/png"
            assert len(image.data) > 100
