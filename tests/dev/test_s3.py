"""The embedded S3, on free ports and in a folder deeper than the path of a Unix socket may be."""

from collections.abc import Iterator
from typing import NamedTuple

import psutil
import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.servers import s3_client as client
from tools.dev import s3
from tools.dev.processes import Child

pytestmark = pytest.mark.servers

BUCKET = "photos-bucket"


class Server(NamedTuple):
    port: int
    child: Child
    first: Child  # the one that was stopped


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
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
def port(server: Server) -> int:
    return server.port


def anonymous(port: int, method: str, path: str) -> urllib3.BaseHTTPResponse:
    body = b"hostile" if method in {"PUT", "POST"} else None
    return urllib3.request(method, f"{s3.endpoint(port)}/{BUCKET}{path}", body=body, timeout=5, retries=False)


def test_a_photo_is_public(port: int) -> None:
    answer = anonymous(port, "GET", "/photos/x")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"bytes", "image/webp")


def test_it_rejects_anything_else_from_strangers_a_wrong_secret_and_another_bucket(port: int) -> None:
    asked = [("GET", path) for path in ("/private/x", "?list-type=2&prefix=photos/", "?policy")]
    for method, path in (*asked, ("PUT", "/photos/x"), ("DELETE", "/photos/x"), ("DELETE", "")):
        assert anonymous(port, method, path).status == 403, (method, path)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(port, secret="a wrong secret of some length").put_object(Bucket=BUCKET, Key="photos/new", Body=b"")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client(port).put_object(Bucket="another-bucket", Key="photos/x", Body=b"")
    kept = client(port).list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {found["Key"] for found in kept} == {"photos/x", "private/x"}
    assert anonymous(port, "GET", "/photos/x").data == b"bytes"


def test_nothing_listens_beyond_this_machine_and_stop_leaves_no_process(server: Server) -> None:
    connections = psutil.Process(server.child.process.pid).net_connections("tcp")
    listening = [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]
    ours = set(s3.listening(server.port))
    assert server.port in {address.port for address in listening} <= ours  # some begin to listen later
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert server.first.process.returncode == 0
    assert not psutil.pid_exists(server.first.process.pid)
