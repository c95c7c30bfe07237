"""Which addresses may be connected to and which URLs may be asked for, told without a name server or a packet."""

import pytest

from app.wordcounts.addresses import follow, is_public, parse, vet
from app.wordcounts.failures import Code, FetchFailed
from tests.wordcounts.hostile_urls import REFUSED_URLS

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "211.249.220.24",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2400:cb00::1",
    "2606:4700:4700::1111",
    "3ffe::1",
]
NOT_PUBLIC = {
    "this host": ["0.0.0.0", "0.255.255.255", "::"],  # noqa: S104 - refused, not bound to
    "loopback": ["127.0.0.1", "127.255.255.255", "::1"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    "unique local": ["fc00::1", "fd00::1", "fd00:ec2::254"],
    "link-local": ["169.254.169.254", "169.254.0.0", "fe80::1", "febf::1", "fec0::1"],
    "with a scope": ["fe80::1%eth0", "2606:4700:4700::1111%1", "::1%lo"],
    "carriers' NAT": ["100.64.0.1", "100.127.255.255", "100.100.100.200"],
    "metadata that looks public": ["168.63.129.16", "192.0.0.192"],
    "IETF protocols": ["192.0.0.8", "192.0.0.170", "2001:1::1", "2001:4:112::1", "2001:20::1", "2001:1ff:ffff::"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1", "3fff:fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "relays and sinks": ["192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "100::1", "4000::1", "5f00::1", "e000::1"],
    "IPv4 mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::", "2002:808:808::1"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "no address": ["", "localhost", "127.1", "2130706433", "0x7f.1", "010.0.0.1", "1.1.1.1 ", "1.1.1.1/32", "١.١.١.١"],
}


@pytest.mark.parametrize("ip", PUBLIC)
def test_it_is_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("ip", [ip for ips in NOT_PUBLIC.values() for ip in ips])
def test_it_is_not_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://example.com", "http://example.com/"),
        ("https://example.com/", "https://example.com/"),
        ("HTTPS://Example.COM./A", "https://example.com/A"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:080/", "http://example.com/"),
        ("http://example.com:/", "http://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://한국.kr", "http://xn--3e0b707e.kr/"),
        ("http://ＥＸＡＭＰＬＥ．com", "http://example.com/"),
        ("https://ko.wikipedia.org/wiki/한글", "https://ko.wikipedia.org/wiki/%ED%95%9C%EA%B8%80"),
        ("https://ko.wikipedia.org/wiki/%ED%95%9C", "https://ko.wikipedia.org/wiki/%ED%95%9C"),
        ("https://example.com?q=한&b=%EA", "https://example.com/?q=%ED%95%9C&b=%EA"),
        ("https://example.com/a#b", "https://example.com/a"),
        ("https://example.com#@127.0.0.1/", "https://example.com/"),
        ("https://example.com/a?u=http://127.0.0.1@b", "https://example.com/a?u=http://127.0.0.1@b"),
        ('https://example.com/"<>^`{}', "https://example.com/%22%3C%3E%5E%60%7B%7D"),
        ("https://example.com/👩‍👩‍👧", "https://example.com/%F0%9F%91%A9%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"),
        ("http://a_b.example.com/", "http://a_b.example.com/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700:4700:0::1111]/", "http://[2606:4700:4700::1111]/"),
        ("http://1.2.3.4.example/", "http://1.2.3.4.example/"),
    ],
)
def test_it_reads_what_a_person_types(typed: str, meant: str) -> None:
    assert parse(typed).url == meant
    assert parse(meant).url == meant


@pytest.mark.parametrize(("code", "url"), REFUSED_URLS, ids=[f"{code}-{ascii(url)[:60]}" for code, url in REFUSED_URLS])
def test_it_refuses(code: Code, url: str) -> None:
    with pytest.raises(FetchFailed) as refusal:
        parse(url)
    assert refusal.value.code is code
    assert str(refusal.value) == code  # no address, no part of the URL
    assert not refusal.value.may_pass


def test_it_allows_one_server_and_neither_its_neighbour_nor_another_port() -> None:
    allowed = frozenset({("127.0.0.1", 5000)})
    assert parse("http://127.0.0.1:5000/a", allowed).url == "http://127.0.0.1:5000/a"
    for url in ("http://127.0.0.2:5000/", "http://127.0.0.1:80/", "http://8.8.8.8:5000/", "http://127.0.0.1:5001/"):
        with pytest.raises(FetchFailed):
            parse(url, allowed)


@pytest.mark.parametrize(
    ("ips", "port", "code"),
    [
        (["8.8.8.8", "10.0.0.1"], 80, Code.ADDRESS),
        (["10.0.0.1", "8.8.8.8"], 443, Code.ADDRESS),
        (["2606:4700::1", "8.8.8.8", "::1"], 80, Code.ADDRESS),
        (["127.0.0.1", "10.0.0.1"], 5000, Code.PORT),
        (["8.8.8.8"], 5000, Code.PORT),
    ],
)
def test_one_bad_address_among_several_is_refused(ips: list[str], port: int, code: Code) -> None:
    with pytest.raises(FetchFailed) as refusal:
        vet(ips, port, frozenset({("127.0.0.1", 5000)}))
    assert refusal.value.code is code


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("b", "https://example.com/dir/b"),
        ("/b?c#d", "https://example.com/b?c"),
        ("?c", "https://example.com/dir/a?c"),
        ("../../b", "https://example.com/b"),
        ("//other.example/", "https://other.example/"),
        ("http://other.example", "http://other.example/"),
        ("/한글", "https://example.com/%ED%95%9C%EA%B8%80"),
    ],
)
def test_it_follows_redirects_to(location: str, found: str) -> None:
    assert follow(parse("https://example.com/dir/a"), location).url == found


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("", Code.URL),
        ("/a b", Code.URL),
        ("\thttp://127.0.0.1/", Code.URL),
        ("/\\127.0.0.1/", Code.URL),
        ("http:///", Code.URL),
        ("http://[", Code.URL),
        ("a" * 60_000, Code.URL),
        ("file:///etc/passwd", Code.SCHEME),
        ("javascript:alert(1)", Code.SCHEME),
        ("//u@example.com/", Code.CREDENTIALS),
        ("//example.com:22/", Code.PORT),
        ("//169.254.169.254/", Code.ADDRESS),
        ("http://[::ffff:169.254.169.254]/", Code.ADDRESS),
        ("//2130706433", Code.ADDRESS),
    ],
)
def test_it_follows_no_redirect_to(location: str, code: Code) -> None:
    with pytest.raises(FetchFailed) as refusal:
        follow(parse("https://example.com/dir/a"), location)
    assert refusal.value.code is code
