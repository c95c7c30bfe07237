"""Refused URLs send nothing: no name is looked up where the URL tells enough, and nothing is connected to."""

import pytest

from app.wordcounts.fetch import Code, FetchFailed, fetch
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.hostile_urls import REFUSED_URLS
from tests.wordcounts.test_addresses import NOT_PUBLIC


def test_hostile_urls_are_many() -> None:
    assert len({url for _, url in REFUSED_URLS}) == len(REFUSED_URLS) >= 100


@pytest.mark.parametrize(("code", "url"), REFUSED_URLS, ids=[f"{code}-{ascii(url)[:60]}" for code, url in REFUSED_URLS])
def test_no_packet_for_a_refused_url(resolve_by: Resolver, connections: list[object], code: Code, url: str) -> None:
    asked = resolve_by(lambda host: ["8.8.8.8"])
    with pytest.raises(FetchFailed) as refusal:
        fetch(url)
    assert (refusal.value.code, asked, connections) == (code, [], [])


@pytest.mark.parametrize("ip", [ip for ips in NOT_PUBLIC.values() for ip in ips])
def test_no_packet_to_a_name_of_an_address_that_is_not_public(
    resolve_by: Resolver, connections: list[object], ip: str
) -> None:
    for ips in ([ip], ["8.8.8.8", ip], [ip, "2606:4700:4700::1111"]):
        resolve_by(lambda host, ips=ips: ips)  # type: ignore[misc]
        for url in ("http://page.test/", "https://page.test/", "http://localhost/", "http://한국.kr"):
            with pytest.raises(FetchFailed) as refusal:
                fetch(url)
            assert (refusal.value.code, connections) == (Code.ADDRESS, [])


def test_a_packet_to_a_public_address_would_be_seen(resolve_by: Resolver, connections: list[object]) -> None:
    resolve_by(lambda host: ["8.8.8.8"])
    with pytest.raises(FetchFailed):
        fetch("http://page.test/")
    assert connections == [("8.8.8.8", 80)]
