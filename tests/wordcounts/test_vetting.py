"""SSRF protection: which IP addresses may be connected to, and that there is no vetted address for any other."""

import copy
import dataclasses

import pytest

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.vetting import VettedAddress, is_public, vet

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


@pytest.mark.parametrize("port", [80, 443])
@pytest.mark.parametrize("ip", [ip for ips in NOT_PUBLIC.values() for ip in ips])
def test_there_is_no_vetted_address_that_is_not_public(ip: str, port: int) -> None:
    with pytest.raises(FetchFailed) as refusal:
        VettedAddress(ip, port)
    assert refusal.value.code is Failure.ADDRESS


@pytest.mark.parametrize("port", [0, 22, 25, 81, 5432, 8080, 65616, -80])
def test_there_is_no_vetted_address_with_another_port(port: int) -> None:
    with pytest.raises(FetchFailed) as refusal:
        VettedAddress("8.8.8.8", port)
    assert refusal.value.code is Failure.PORT


def test_a_vetted_address_cannot_become_another_one() -> None:
    address = VettedAddress("8.8.8.8", 80)
    with pytest.raises(dataclasses.FrozenInstanceError):
        address.ip = "127.0.0.1"  # type: ignore[misc]
    for change in ({"ip": "127.0.0.1"}, {"port": 22}):
        with pytest.raises(FetchFailed):
            dataclasses.replace(address, **change)
    assert copy.copy(address) == address


@pytest.mark.parametrize(
    ("ips", "port", "code"),
    [
        (["8.8.8.8", "10.0.0.1"], 80, Failure.ADDRESS),
        (["10.0.0.1", "8.8.8.8"], 443, Failure.ADDRESS),
        (["2606:4700::1", "8.8.8.8", "::1"], 80, Failure.ADDRESS),
        (["127.0.0.1", "10.0.0.1"], 5000, Failure.PORT),
        (["8.8.8.8"], 5000, Failure.PORT),
    ],
)
def test_one_bad_address_among_several_is_refused(ips: list[str], port: int, code: Failure) -> None:
    with pytest.raises(FetchFailed) as refusal:
        vet(ips, port, frozenset({("127.0.0.1", 5000)}))
    assert refusal.value.code is code
