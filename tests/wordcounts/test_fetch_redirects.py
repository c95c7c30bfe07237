"""Redirects that are followed, and how far."""

import pytest

from app.wordcounts.fetch import Code, FetchFailed, Page, fetch
from tests.wordcounts.page_server import Answer, PageServer, page, redirect


@pytest.mark.parametrize("status", ["301 A", "302 A", "303 A", "307 A", "308 A"])
def test_it_follows_five_redirects_and_no_sixth(status: str) -> None:
    hops: dict[str, Answer] = {f"/{n}": redirect(f"{n + 1}", status) for n in range(6)}
    with PageServer({**hops, "/6": page(b"there")}) as server:
        assert fetch(server.url("/1"), allowed_servers=server.allowed) == Page(server.url("/6"), "there", is_html=True)
        with pytest.raises(FetchFailed) as refusal:
            fetch(server.url("/0"), allowed_servers=server.allowed)
        assert refusal.value.code is Code.REDIRECTS
        assert not refusal.value.may_pass
        assert len(server.requests) == 6 + 6


@pytest.mark.parametrize("location", ["/한", "/한".encode(), "/%ED%95%9C", "?/../한#a"])
def test_it_reads_redirects_in_korean(location: str | bytes) -> None:
    pages: dict[str, Answer] = dict.fromkeys(["/%ED%95%9C", "/?/../%ED%95%9C"], page(b"there"))
    with PageServer({"/": redirect(location), **pages}) as server:
        assert fetch(server.url(), allowed_servers=server.allowed).text == "there"


def test_a_redirect_in_another_character_set_is_passed_on_as_it_is() -> None:
    with PageServer({"/": redirect("/한".encode("cp949")), "/%C7%D1": page(b"there")}) as server:
        assert fetch(server.url(), allowed_servers=server.allowed).text == "there"
