"""The embedded S3, on free ports and in a folder deeper than the path of a Unix socket may be."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import psutil
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from app.dev import s3
from app.dev.processes import Child

pytestmark = pytest.mark.servers

BUCKET = "photos-bucket"


class Server(NamedTuple):
    ports: s3.Ports
    child: Child
    first: Child  # the one that was stopped


def client(ports: s3.Ports, secret: str = s3.SECRET_KEY) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint(ports),
        region_name="us-east-1",
        aws_access_key_id=s3.ACCESS_KEY,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server, and again on other ports; photos/x and private/x are from before."""
    directory = tmp_path_factory.mktemp("s3") / "/".join(["a-folder-with-a-long-name"] * 5) / "s3"
    assert len(str(directory)) > 107
    ports = s3.free_ports()
    first = s3.start(directory, ports, BUCKET)
    for key in ("photos/x", "private/x"):
        client(ports).put_object(Bucket=BUCKET, Key=key, Body=b"bytes", ContentType="image/webp")
    sockets = [path for path in first.litter if path.exists()]
    first.stop()
    assert not [path for path in sockets if path.exists()]
    others = s3.free_ports()
    child = s3.start(directory, others, BUCKET)
    yield Server(others, child, first)
    child.stop()


@pytest.fixture
def ports(server: Server) -> s3.Ports:
    return server.ports


def anonymous(ports: s3.Ports, method: str, path: str) -> urllib3.BaseHTTPResponse:
    body = b"hostile" if method in {"PUT", "POST"} else None
    return urllib3.request(method, f"{s3.endpoint(ports)}/{BUCKET}{path}", body=body, timeout=5, retries=False)


def keys(ports: s3.Ports) -> set[str]:
    return {found["Key"] for found in client(ports).list_objects_v2(Bucket=BUCKET).get("Contents", [])}


@pytest.mark.smoke
def test_a_photo_is_public(ports: s3.Ports) -> None:
    answer = anonymous(ports, "GET", "/photos/x")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"bytes", "image/webp")


def test_it_rejects_anything_else_from_strangers_a_wrong_secret_and_another_bucket(ports: s3.Ports) -> None:
    for method, path in (
        ("GET", "/private/x"),
        ("GET", "?list-type=2&prefix=photos/"),
        ("GET", "?policy"),
        ("PUT", "/photos/x"),
        ("DELETE", "/photos/x"),
        ("DELETE", ""),
    ):
        assert anonymous(ports, method, path).status == 403, (method, path)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(ports, secret="a wrong secret of some length").put_object(Bucket=BUCKET, Key="photos/new", Body=b"")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client(ports).put_object(Bucket="another-bucket", Key="photos/x", Body=b"")
    assert keys(ports) == {"photos/x", "private/x"}
    assert anonymous(ports, "GET", "/photos/x").data == b"bytes"


def test_nothing_listens_beyond_this_machine_and_stop_leaves_no_process(server: Server) -> None:
    connections = psutil.Process(server.child.process.pid).net_connections("tcp")
    listening = [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]
    ours = {port + extra for port in vars(server.ports).values() for extra in (0, s3.GRPC)}
    assert server.ports.s3 in {address.port for address in listening} <= ours  # some begin to listen later
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert server.first.process.returncode == 0
    assert not psutil.pid_exists(server.first.process.pid)
