"""The embedded PostgreSQL and S3, in folders of their own; and which ports `make dev` takes."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg2
import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.databases import run
from tests.servers import s3_client as client
from tools.dev import ports, postgres, s3, servers
from tools.dev.processes import Child, DevError
from tools.dev.servers import Addresses

pytestmark = pytest.mark.servers


@pytest.fixture
def port() -> int:
    return ports.find_free(1)[0]


@pytest.fixture(scope="module")
def port_of_server() -> int:
    return ports.find_free(1)[0]


@pytest.fixture(scope="module")
def server(path_of_module: Path, port_of_server: int) -> Iterator[Child]:
    """Start one as in development; no test stops it."""
    server = postgres.start(path_of_module / "deep" / "postgres", port_of_server)
    yield server
    server.stop()


def test_a_new_server_has_our_database_and_a_role_that_is_no_superuser(server: Child, port_of_server: int) -> None:
    [row] = run(
        postgres.url(port_of_server),
        "SELECT rolsuper, rolcreatedb, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider,"
        " datlocale, current_setting('server_version_num')::int / 10000, current_setting('fsync')"
        " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()",
    )
    assert row == (False, False, "semicircle", "UTF8", "b", "C.UTF-8", 18, "on")


def test_it_listens_on_the_loopback_alone_and_rejects_other_logins(server: Child, port_of_server: int) -> None:
    connections = psutil.Process(server.process.pid).net_connections("all")
    assert [connection.laddr for connection in connections] == [("127.0.0.1", port_of_server)]
    for login in ("postgres", "postgres:postgres", "semicircle:wrong"):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            run(f"postgresql://{login}@127.0.0.1:{port_of_server}/semicircle", "SELECT 1")


def test_it_names_a_port_in_use_and_the_way_out(server: Child, port_of_server: int, tmp_path: Path) -> None:
    with pytest.raises(DevError) as refusal:
        postgres.start(tmp_path / "postgres", port_of_server, durable=False)
    assert refusal.value.message == (
        f"Port {port_of_server} is in use by postgres (process {server.process.pid});"
        " stop it, or set DATABASE_URL to a PostgreSQL of your own."
    )


def test_an_interrupted_initialisation_is_begun_anew(tmp_path: Path, port: int) -> None:
    draft = tmp_path / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    (tmp_path / "postgres").mkdir()
    server = postgres.start(tmp_path / "postgres", port, durable=False)
    try:
        assert run(postgres.url(port), "SELECT 1") == [(1,)]
    finally:
        server.stop()
    assert not draft.exists()


def test_a_pid_file_that_names_a_foreign_process_is_removed_and_stop_leaves_no_process(
    tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when somebody is connected."""
    directory = tmp_path / "postgres"
    postgres.start(directory, port, durable=False).stop()
    pid_file = directory / "postmaster.pid"
    foreign = os.getppid()
    pid_file.write_text(f"{foreign}\n{directory}\n0\n{port}\n\n127.0.0.1\n\nready\n")
    server = postgres.start(directory, port, durable=False)
    assert run(postgres.url(port), "SELECT 1") == [(1,)]
    assert f"process {foreign} is not this PostgreSQL" in capsys.readouterr().out
    assert psutil.pid_exists(foreign)
    family = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    with closing(psycopg2.connect(postgres.url(port))):
        server.stop()
    assert server.process.returncode == 0
    assert not [process for process in family if process.is_running()]
    assert not (directory / "postmaster.pid").exists()
    server.stop()  # and a second time does nothing


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_as_root_only_parents_of_the_data_open(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (tmp_path / "beside").mkdir(mode=0o700)
    postgres.start(private / "instance" / "postgres", port, durable=False).stop()
    assert private.stat().st_mode & 0o777 == 0o701
    assert (private / "instance" / "postgres").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "beside").stat().st_mode & 0o777 == 0o700
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("PostgreSQL runs as nobody; opened to it: ")
    assert line.endswith(str(private))
    assert str(tmp_path / "beside") not in line


BUCKET = "photos-bucket"


class Server(NamedTuple):
    port: int
    child: Child
    first: Child  # the one that was stopped


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server, and again on other ports; photos/x and private/x are from before."""
    directory = tmp_path_factory.mktemp("s3") / "/".join(["a-folder-with-a-long-name"] * 5) / "s3"
    assert len(str(directory)) > 107
    port = s3.free_port()
    first = s3.start(directory, port, BUCKET)
    for key in ("photos/x", "private/x"):
        client(port).put_object(Bucket=BUCKET, Key=key, Body=b"bytes", ContentType="image/webp")
    sockets = [path for path in first.litter if path.exists()]
    first.stop()
    assert not [path for path in sockets if path.exists()]
    others = s3.free_port()
    child = s3.start(directory, others, BUCKET)
    yield Server(others, child, first)
    child.stop()


@pytest.fixture
def storage_port(storage: Server) -> int:
    return storage.port


def anonymous(port: int, method: str, path: str) -> urllib3.BaseHTTPResponse:
    body = b"hostile" if method in {"PUT", "POST"} else None
    return urllib3.request(method, f"{s3.endpoint(port)}/{BUCKET}{path}", body=body, timeout=5, retries=False)


def test_a_photo_is_public(storage_port: int) -> None:
    answer = anonymous(storage_port, "GET", "/photos/x")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"bytes", "image/webp")


def test_it_rejects_anything_else_from_strangers_a_wrong_secret_and_another_bucket(storage_port: int) -> None:
    asked = [("GET", path) for path in ("/private/x", "?list-type=2&prefix=photos/", "?policy")]
    for method, path in (*asked, ("PUT", "/photos/x"), ("DELETE", "/photos/x"), ("DELETE", "")):
        assert anonymous(storage_port, method, path).status == 403, (method, path)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(storage_port, secret="a wrong secret of some length").put_object(
            Bucket=BUCKET, Key="photos/new", Body=b""
        )
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client(storage_port).put_object(Bucket="another-bucket", Key="photos/x", Body=b"")
    kept = client(storage_port).list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {found["Key"] for found in kept} == {"photos/x", "private/x"}
    assert anonymous(storage_port, "GET", "/photos/x").data == b"bytes"


def test_nothing_listens_beyond_this_machine_and_stop_leaves_no_process(storage: Server) -> None:
    connections = psutil.Process(storage.child.process.pid).net_connections("tcp")
    listening = [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]
    ours = set(s3.listening(storage.port))
    assert storage.port in {address.port for address in listening} <= ours  # some begin to listen later
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert storage.first.process.returncode == 0
    assert not psutil.pid_exists(storage.first.process.pid)


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
