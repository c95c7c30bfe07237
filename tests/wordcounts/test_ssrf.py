"""SSRF: no packet goes to an address that was not vetted; and which are, each shape of one at the lowest level."""

import ast
import copy
import dataclasses
import http.client
from pathlib import Path

import pytest

from app.deadline import Deadline
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import connecting
from app.wordcounts.fetching.vetting import MAX_URL_LENGTH, VettedAddress, follow_redirect, is_public, parse_url, vet
from tests.test_architecture import graph, imported_modules
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.page_server import PageServer, answering, failure, fetch, page, redirect, refusal

FEATURE = Path(connecting.__file__).parents[1]
ROOM = "app.wordcounts.fetching"

NETWORK_LIBRARIES = {"socket", "ssl", "http", "asyncio", "urllib3", "requests", "httpx", "boto3", "botocore"}
# Functions of the standard library and of the libraries here that open a connection.
OPENERS = {
    "connect", "connect_ex", "sendto", "create_connection", "open_connection", "socketpair", "socket",
    "urlopen", "PoolManager", "HTTPConnectionPool", "HTTPSConnectionPool", "connection_from_url",
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "url"),
    [
        (Failure.URL, "http://example.com\\@127.0.0.1/"),
        (Failure.PORT, "http://127.0.0.1:5432/"),
        (Failure.ADDRESS, "http://[::ffff:127.0.0.1]/"),
    ],
)
def test_no_packet_for_a_refused_url(resolve_by: Resolver, connections: list[object], code: Failure, url: str) -> None:
    asked = resolve_by(lambda host: ["8.8.8.8"])
    assert (refusal(fetch, url).code, asked, connections) == (code, [], [])


@pytest.mark.parametrize(
    "ips",
    [["127.0.0.1"], ["8.8.8.8", "169.254.169.254"], ["::1", "2606:4700:4700::1111"], ["::ffff:10.0.0.1"], ["1.1"]],
)
def test_no_packet_to_a_name_of_no_public_ip(resolve_by: Resolver, connections: list[object], ips: list[str]) -> None:
    resolve_by(lambda host: ips)
    for url in ("http://page.test/", "https://page.test/"):
        assert (refusal(fetch, url).code, connections) == (Failure.ADDRESS, [])


def test_a_packet_to_a_public_address_would_be_seen(resolve_by: Resolver, connections: list[object]) -> None:
    resolve_by(lambda host: ["8.8.8.8"])
    refusal(fetch, "http://page.test/")
    assert connections == [("8.8.8.8", 80)]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", Failure.ADDRESS),
        ("http://127.0.0.2:{port}/", Failure.PORT),
        ("file:///etc/passwd", Failure.SCHEME),
        ("http://page.test:{port}/", Failure.PORT),
    ],
)
def test_it_is_not_led_astray(resolve_by: Resolver, location: str, code: Failure) -> None:
    resolve_by(lambda host: ["8.8.8.8"])
    with PageServer({}) as server:
        server.pages = {"/": redirect(location.format(port=server.port))}
        assert failure(server).code is code


def test_a_name_that_changes_its_address_between_hops_is_vetted_anew(resolve_by: Resolver) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1", "10.0.0.1"]])
    asked = resolve_by(lambda host: next(answers))
    with answering(redirect("/again")) as server:
        assert failure(server, server.url(host="page.test")).code is Failure.PORT
        assert len(server.requests) == 1
    assert asked == ["page.test"] * 2


# The door: nobody can connect to an address that was not vetted.


def calls(path: Path) -> set[str]:
    """Return the names of all functions that a file calls: connect for `sock.connect(…)`."""
    called = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {name.rpartition(".")[2] for name in called}


def test_only_the_room_imports_a_network_library() -> None:
    for path in FEATURE.rglob("*.py"):
        if path.parent.name != "fetching":
            assert not {name.partition(".")[0] for name in imported_modules(path)} & NETWORK_LIBRARIES, path
            assert "urllib.request" not in set(imported_modules(path)), path


def test_only_one_module_opens_connections() -> None:
    """And `connect`, which it offers, is called by the client alone, `fetching/__init__.py`."""
    found = {path.stem: opened for path in FEATURE.rglob("*.py") if (opened := calls(path) & OPENERS)}
    assert found == {"connecting": {"socket", "connect"}, "__init__": {"connect"}}


def test_nobody_imports_what_is_inside_of_the_room() -> None:
    assert {f"{ROOM}.connecting", f"{ROOM}.vetting"} <= graph().keys()
    outside = {module: targets for module, targets in graph().items() if not module.startswith(ROOM)}
    assert {target for targets in outside.values() for target in targets if target.startswith(ROOM)} == {ROOM}


def test_a_closed_connection_does_not_connect_again_by_itself(resolve_by: Resolver) -> None:
    """http.client would, to the name of the host, and that would be resolved without being vetted."""
    asked = resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"a")}) as server, Deadline(5) as deadline:
        addresses = vet(["127.0.0.1"], server.port, server.allowed)
        url = parse_url(server.url(host="page.test"), server.allowed)
        with connecting.connect(url, addresses, deadline) as connection:
            connection.close()
            with pytest.raises(http.client.NotConnected):
                connection.request("GET", "/")
        assert (asked, server.requests) == ([], [])


PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "128.0.0.1",
    "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "211.249.220.24", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888",
    "2400:cb00::1", "2606:4700:4700::1111", "3ffe::1",
]  # fmt: skip
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

REFUSED = {
    Failure.URL: [
        "", "http://", "http:///", "http:///etc/passwd", "http:example.com", "http://?", "http://#", "http://:80/",
        "http://./", "http://../", "http://a..b/", "http://.example.com/", "http://example.com../",
        " http://example.com", "http://example.com ", "http://example.com/a b", "http://exam\tple.com/",
        "http://example.com/\r\nHost: a", "http://example.com/\x00", "http://example.com/\x7f",
        "http://example.com/\u2028", "http://example.com/\u00a0", "http://example.com/\u3000",
        "http://example.com/\ud800", "http:\\\\example.com", "http://example.com\\@127.0.0.1/", "http://a%00b/",
        "http://%31%32%37.0.0.1/", "http://127.0.0.1%2f.example.com/", "http://a,b/", "http://a*b/", "http://::1/",
        "http://[::1/", "http://::1]/", "http://[]/", "http://[example.com]/", "http://[127.0.0.1]/",
        "http://[::1]a/", "http://a[::1]/", "http://[v1.a]/", "http://[[::1]]/", "http://example.com:٨٠/",
        "http://example.com:80:80/", "http://example.com:+80/", "http://example.com:-80/", "http://example.com:8_0/",
        "http://example.com:0x50/", "http://example.com:000080/", "http://example.com：80/",
        "http://exa\u2100mple.com/", f"http://{'a' * 64}.com/", f"http://{'a.' * 127}com/", f"http://{'한' * 60}.kr/",
        "http://한국\u200d.kr/", f"http://{'ﷺ' * 200}.kr/", f"http://{'한' * 1500}.kr/",
        f"http://example.com/{'a' * MAX_URL_LENGTH}",
        f"http://example.com/{'한' * (MAX_URL_LENGTH // 9)}",
    ],
    Failure.SCHEME: [
        "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
        "javascript:alert(1)", "data:text/html,a", "example.com:80", "localhost:80/", "httpſ://example.com",
        "view-source:http://example.com", "jar:http://example.com!/",
    ],
    Failure.CREDENTIALS: [
        "http://u:p@example.com/", "http://u@example.com/", "http://@example.com/", "http://example.com@127.0.0.1/",
        "http://example.com:80@127.0.0.1/", "http://127.0.0.1@example.com/",
    ],
    Failure.PORT: [
        "http://example.com:22/", "http://example.com:0/", "http://example.com:8080/",
        "http://example.com:65616/",  # 80, to who counts in 16 bits
        "http://example.com:99999/", "http://127.0.0.1:5432/",
    ],
    Failure.ADDRESS: [
        "http://127.0.0.1", "http://127.0.0.1./", "http://127.1/", "http://127.0.1/", "http://2130706433/",
        "http://4294967297/", "http://0x7f.1/", "http://0x7f000001/", "http://0X7F.0.0.0x1/", "http://0177.0.0.1/",
        "http://127.0.0.01/", "http://127.0.0.256/", "http://8.8/", "http://0/", "http://0x/", "http://①②⑦.⓪.⓪.①/",
        "http://１２７.０.０.１/", "http://127。0．0｡1/", "http://127.0.0.1\u2060/", "http://0.0.0.0/", "http://10.0.0.1/",
        "http://100.64.0.1/", "http://169.254.169.254/latest/meta-data/", "http://168.63.129.16/", "http://[::]/",
        "http://[::1]/", "http://[::1%25lo]/", "http://[2606:4700:4700::1111%eth0]/", "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[fec0::1]/", "http://[fd00::1]/",
        "http://[fe80::1]/", "http://[2002:7f00:1::]/", "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    ],
}  # fmt: skip
TYPED = [
    ("http://example.com", "http://example.com/"),
    ("https://example.com/", "https://example.com/"),
    ("HTTPS://Example.COM./A", "https://example.com/A"),
    ("http://example.com:80/", "http://example.com/"),
    ("http://example.com:080/", "http://example.com/"),
    ("https://example.com:80/", "https://example.com:80/"),
    ("http://한국.kr", "http://xn--3e0b707e.kr/"),
    ("http://faß.de/", "http://xn--fa-hia.de/"),  # fass.de is another site
    ("http://ΦΊΛΟΣ.gr/", "http://xn--kxaymql.gr/"),
    ("http://BÜCHER.ch/", "http://xn--bcher-kva.ch/"),
    ("http://日本語。jp/", "http://xn--wgv71a119e.jp/"),
    ("http://☕.com/", "http://xn--53h.com/"),
    ("http://example\u200b.com/", "http://example.com/"),
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
    ("http://[2606:4700:4700:0::1111]/", "http://[2606:4700:4700::1111]/"),
    ("http://1.2.3.4.example/", "http://1.2.3.4.example/"),
]
REDIRECTS = [
    ("b", "https://example.com/dir/b"),
    ("/b?c#d", "https://example.com/b?c"),
    ("?c", "https://example.com/dir/a?c"),
    ("../../b", "https://example.com/b"),
    ("//other.example/", "https://other.example/"),
    ("http://other.example", "http://other.example/"),
    ("/한글", "https://example.com/%ED%95%9C%EA%B8%80"),
]
REFUSED_REDIRECTS = [
    ("", Failure.URL),
    ("\thttp://127.0.0.1/", Failure.URL),
    ("/\\127.0.0.1/", Failure.URL),
    ("a" * 60_000, Failure.URL),
    ("file:///etc/passwd", Failure.SCHEME),
    ("//u@example.com/", Failure.CREDENTIALS),
    ("//169.254.169.254/", Failure.ADDRESS),
    ("http://[::ffff:169.254.169.254]/", Failure.ADDRESS),
]


def refusal_of(url: str) -> Failure | None:
    """Return why a URL is refused, None if it is not. The error tells nothing but its code."""
    try:
        parse_url(url)
    except FetchFailed as error:
        return error.code if str(error) == error.code and not error.is_transient else None
    return None


def test_public_addresses_are_vetted_at_the_edges_of_every_reserved_network() -> None:
    assert [ip for ip in PUBLIC if not is_public(ip)] == []
    assert vet(PUBLIC, 443) == [VettedAddress(ip, 443) for ip in PUBLIC]


def test_there_is_no_vetted_address_that_is_not_public_or_has_another_port() -> None:
    refused = [(ip, port, Failure.ADDRESS) for ips in NOT_PUBLIC.values() for ip in ips for port in (80, 443)]
    refused += [("8.8.8.8", port, Failure.PORT) for port in (0, 22, 81, 8080, 65616, -80)]
    for ip, port, code in refused:
        assert refusal(VettedAddress, ip, port).code is code, (ip, port)


def test_a_vetted_address_cannot_become_another_one() -> None:
    address = VettedAddress("8.8.8.8", 80)
    with pytest.raises(dataclasses.FrozenInstanceError):
        address.ip = "127.0.0.1"  # type: ignore[misc]
    for change in ({"ip": "127.0.0.1"}, {"port": 22}):
        refusal(dataclasses.replace, address, **change)
    assert copy.copy(address) == address


@pytest.mark.parametrize(
    ("ips", "port", "code"),
    [
        (["8.8.8.8", "10.0.0.1"], 80, Failure.ADDRESS),
        (["2606:4700::1", "8.8.8.8", "::1"], 80, Failure.ADDRESS),
        (["127.0.0.1", "10.0.0.1"], 5000, Failure.PORT),
    ],
)
def test_one_bad_address_among_several_is_refused(ips: list[str], port: int, code: Failure) -> None:
    assert refusal(vet, ips, port, frozenset({("127.0.0.1", 5000)})).code is code


def test_a_url_is_read_as_a_person_types_it() -> None:
    assert [(typed, parse_url(typed).url) for typed, _ in TYPED] == TYPED
    assert [parse_url(meant).url for _, meant in TYPED] == [meant for _, meant in TYPED]


@pytest.mark.parametrize("code", REFUSED)
def test_a_url_that_tells_enough_is_refused(code: Failure) -> None:
    assert {url: refusal_of(url) for url in REFUSED[code]} == dict.fromkeys(REFUSED[code], code)


def test_one_allowed_server_allows_neither_its_neighbour_nor_another_port() -> None:
    allowed = frozenset({("127.0.0.1", 5000)})
    assert parse_url("http://127.0.0.1:5000/a", allowed).url == "http://127.0.0.1:5000/a"
    for url in ("http://127.0.0.2:5000/", "http://127.0.0.1:80/", "http://8.8.8.8:5000/", "http://127.0.0.1:5001/"):
        refusal(parse_url, url, allowed)


def test_redirects_are_followed_as_browsers_follow_them() -> None:
    origin = parse_url("https://example.com/dir/a")
    assert [(location, follow_redirect(origin, location).url) for location, _ in REDIRECTS] == REDIRECTS


def test_a_redirect_is_refused_by_the_same_rules() -> None:
    origin = parse_url("https://example.com/dir/a")
    for location, code in REFUSED_REDIRECTS:
        assert refusal(follow_redirect, origin, location).code is code, location
