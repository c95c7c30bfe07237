"""SSRF: no packet goes to an address that was not vetted, whatever the URL, the redirect or the name server says."""

import ast
import http.client
from pathlib import Path

import pytest

from app.deadline import Deadline
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import connecting, fetch
from app.wordcounts.fetching.vetting import parse_url, vet
from tests.test_architecture import graph, imported_modules
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.page_server import PageServer, answering, failure, page, redirect

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
    with pytest.raises(FetchFailed) as refusal:
        fetch(url)
    assert (refusal.value.code, asked, connections) == (code, [], [])


@pytest.mark.parametrize(
    "ips",
    [["127.0.0.1"], ["8.8.8.8", "169.254.169.254"], ["::1", "2606:4700:4700::1111"], ["::ffff:10.0.0.1"], ["1.1"]],
)
def test_no_packet_to_a_name_of_no_public_ip(resolve_by: Resolver, connections: list[object], ips: list[str]) -> None:
    resolve_by(lambda host: ips)
    for url in ("http://page.test/", "https://page.test/"):
        with pytest.raises(FetchFailed) as refusal:
            fetch(url)
        assert (refusal.value.code, connections) == (Failure.ADDRESS, [])


def test_a_packet_to_a_public_address_would_be_seen(resolve_by: Resolver, connections: list[object]) -> None:
    resolve_by(lambda host: ["8.8.8.8"])
    with pytest.raises(FetchFailed):
        fetch("http://page.test/")
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
    """And `connect`, which it offers, is called by the client alone."""
    found = {path.stem: opened for path in FEATURE.rglob("*.py") if (opened := calls(path) & OPENERS)}
    assert found == {"connecting": {"socket", "connect"}, "client": {"connect"}}


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
