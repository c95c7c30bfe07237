"""Which ports `make dev` takes: those of the last run as far as they are free, else others, which it remembers."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tools.dev import ports, s3, servers
from tools.dev.processes import DevError
from tools.dev.servers import Addresses

Config = dict[str, Any]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return what a first run in a new checkout reads."""
    file = tmp_path / "ports.json"
    return {"PORT": None, "PORTS": {}, "PORTS_FILE": file, "EMBEDDED_POSTGRES": True, "EMBEDDED_S3": True}


@pytest.fixture
def taken() -> Iterator[int]:
    """Yield a port that somebody listens on."""
    [port] = ports.find_free(1)
    with socket.create_server(("127.0.0.1", port)):
        yield port


def choose(config: Config) -> Addresses:
    """Choose, remember, and free the ports again, as after a run."""
    chosen = servers.choose(config)
    with closing(chosen.web):
        port = chosen.web_port
        config["PORTS"] = json.loads(config["PORTS_FILE"].read_text()) if config["PORTS_FILE"].exists() else {}
    assert config["PORT"] or config["PORTS"]["web"] == port
    return chosen


def test_ports_stay_the_same_from_run_to_run(config: Config) -> None:
    first = choose(config)
    remembered = dict(config["PORTS"])
    second = choose(config)
    assert config["PORTS"] == remembered
    assert remembered["web"] in servers.WEB_PORTS
    assert (first.postgres, first.s3) == (second.postgres, second.s3)


@pytest.mark.parametrize("name", ["web", "postgres", "s3"])
def test_only_a_port_in_use_changes(config: Config, taken: int, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    choose(config)
    before = config["PORTS"] = {**config["PORTS"], name: taken}
    choose(config)
    assert {key for key in before if config["PORTS"][key] != before[key]} == {name}
    holder = f"Port {taken} is in use by {psutil.Process().name()} (process {os.getpid()}); taking another.\n"
    assert capsys.readouterr().out == (holder if name == "web" else "")


def test_the_ports_of_s3_are_taken_anew_when_a_socket_of_somebody_else_is_in_the_way(config: Config) -> None:
    before = choose(config).s3
    assert before
    foreign = s3.sockets(before)[2]
    foreign.touch()
    try:
        after = choose(config).s3
        assert after
        assert not {*s3.listening(before)} & {*s3.listening(after)}
    finally:
        foreign.unlink()


def test_a_port_that_is_asked_for_is_not_remembered(config: Config) -> None:
    choose(config)
    remembered = dict(config["PORTS"])
    [config["PORT"]] = ports.find_free(1)
    chosen = servers.choose(config)
    with closing(chosen.web):
        assert chosen.web_port == config["PORT"]
    assert json.loads(config["PORTS_FILE"].read_text()) == remembered


def test_a_port_that_is_asked_for_and_taken_is_refused(config: Config, taken: int) -> None:
    config["PORT"] = taken
    with pytest.raises(DevError, match=f"Port {taken} is in use by .*; without PORT a free one is taken: make dev"):
        servers.choose(config)
    assert not config["PORTS_FILE"].exists()


def test_the_servers_of_the_environment_need_no_ports(config: Config) -> None:
    config["EMBEDDED_POSTGRES"] = config["EMBEDDED_S3"] = False
    chosen = choose(config)
    assert (chosen.postgres, chosen.s3) == (None, None)
    assert config["PORTS"].keys() == {"web"}


def test_free_ports_are_free_below_those_of_outgoing_connections_and_given_to_no_other_process() -> None:
    found = ports.find_free(5, offset=s3.GRPC)
    with socket.socket(type=socket.SOCK_DGRAM) as claim, pytest.raises(OSError, match="in use"):
        claim.bind(("127.0.0.1", found[0]))
    assert len(set(found)) == 5
    for port in found:
        ports.require_free(port, "")
        ports.require_free(port + s3.GRPC, "")
        assert port + s3.GRPC < 32768
