"""The HTML of every page is valid. One process of html-validate reads all of it."""

from pathlib import Path

import pytest

from tests.browser import tools
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.site import Site

FAULTY = '<!doctype html><html lang="en"><title>x</title><img src="x.png"><p><div></p><button role="button">x</button>'


@pytest.fixture(scope="module")
def faults(site: Site, packages: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("html")
    for page in PAGES:
        for language in LANGUAGES:
            answer = site.answer(page, language)
            assert answer.status == page.status, page.name
            (folder / file_name(page, language)).write_text(answer.html)
    return tools.html_validate(folder)


def file_name(page: Page, language: str) -> str:
    return f"{page.name}.{language}.html"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_html_is_valid(faults: dict[str, list[str]], page: Page, language: str) -> None:
    found = faults.get(file_name(page, language), [])
    assert not found, "\n".join(found)


def test_invalid_html_is_found(packages: None, tmp_path: Path) -> None:
    (tmp_path / "faulty.html").write_text(FAULTY)
    found = "\n".join(tools.html_validate(tmp_path)["faulty.html"])
    for rule in ("wcag/h37", "no-implicit-close", "no-redundant-role"):
        assert rule in found
