"""Every message in the code has a compiled Korean translation with the same placeholders."""

import re
import tomllib
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from tests.visitor import Visitor

ROOT = Path(__file__).parents[2]
KOREAN = ROOT / "app/translations/ko/LC_MESSAGES"
MAPPINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]

with (KOREAN / "messages.po").open("rb") as file:
    WRITTEN = {message.id: message.string for message in read_po(file) if message.id}
with (KOREAN / "messages.mo").open("rb") as file:
    COMPILED = {message.id: message.string for message in read_mo(file) if message.id}


def messages_in_the_code() -> set[str]:
    method_map = [(mapping["pattern"], mapping["method"]) for mapping in MAPPINGS]
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
    within = str(ROOT / "app")
    found = extract_from_dir(
        str(ROOT), method_map, keywords=keywords, directory_filter=lambda folder: folder.startswith(within)
    )
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_every_message_is_translated_and_no_translation_is_unused() -> None:
    assert messages_in_the_code() == {sentence for sentence, korean in WRITTEN.items() if korean}


def test_the_compiled_catalog_matches_its_source() -> None:
    assert COMPILED == WRITTEN


def test_a_translation_has_the_placeholders_of_its_message() -> None:
    for sentence, korean in WRITTEN.items():
        blanks = re.findall(r"%\(\w+\)\w", str(sentence))
        assert sorted(blanks) == sorted(re.findall(r"%\(\w+\)\w", str(korean))), sentence


def test_a_korean_browser_gets_korean_and_one_of_another_language_english(client: Visitor) -> None:
    page = client.get("/sign-in", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}).text
    assert '<html lang="ko">' in page
    assert "이 기기에서 로그인 유지" in page
    assert '<html lang="en">' in client.get("/sign-in", headers={"Accept-Language": "fr"}).text
