"""Validate the HTML of every page, by one process of html-validate."""

from pathlib import Path

from tests.browser import tools
from tests.browser.pages import LANGUAGES, PAGES
from tests.browser.site import Site

FAULTY = '<!doctype html><html lang="en"><title>x</title><img src="x.png"><p><div></p><button role="button">x</button>'


def test_the_html_of_every_page_is_valid_in_both_languages(site: Site, packages: None, tmp_path: Path) -> None:
    """One test, so that no two workers of a parallel run read all pages."""
    for page in PAGES:
        for language in LANGUAGES:
            answer = site.answer(page, language)
            assert answer.status == page.status, page.name
            (tmp_path / f"{page.name}.{language}.html").write_text(answer.html)
    faulty = {name: found for name, found in tools.html_validate(tmp_path).items() if found}
    assert not faulty


def test_invalid_html_is_found(packages: None, tmp_path: Path) -> None:
    (tmp_path / "faulty.html").write_text(FAULTY)
    found = "\n".join(tools.html_validate(tmp_path)["faulty.html"])
    for rule in ("wcag/h37", "no-implicit-close", "no-redundant-role"):
        assert rule in found
