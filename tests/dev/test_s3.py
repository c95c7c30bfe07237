"""The embedded S3, on free ports and in a folder deeper than the path of a Unix socket may be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from app.dev import s3

BUCKET = "photos-bucket"
DEEP = "a-folder-with-a-long-name"


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
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s3")
    for _ in range(5):
        folder /= DEEP
    assert len(str(folder)) > 107
    return folder / "s3"


@pytest.fixture(scope="module")
def ports(directory: Path) -> Iterator[s3.Ports]:
    """A server's ports; in its bucket lie photos/x and private/x."""
    ports = s3.free_ports()
    server = s3.start(directory, ports, BUCKET)
    try:
        for key in ("photos/x", "private/x"):
            client(ports).put_object(Bucket=BUCKET, Key=key, Body=b"bytes", ContentType="image/webp")
        yield ports
    finally:
        server.stop()


def anonymous(ports: s3.Ports, method: str, path: str) -> urllib3.BaseHTTPResponse:
    body = b"hostile" if method in {"PUT", "POST"} else None
    return urllib3.request(method, f"{s3.endpoint(ports)}/{BUCKET}{path}", body=body, timeout=5, retries=False)


def keys(ports: s3.Ports) -> set[str]:
    return {found["Key"] for found in client(ports).list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_a_photo_is_public(ports: s3.Ports) -> None:
    answer = anonymous(ports, "GET", "/photos/x")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"bytes", "image/webp")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/private/x"),
        ("GET", ""),
        ("GET", "?list-type=2&prefix=photos/"),
        ("GET", "?policy"),
        ("PUT", "/photos/x"),
        ("PUT", "/photos/new"),
        ("DELETE", "/photos/x"),
        ("DELETE", ""),
    ],
)
def test_it_rejects_anything_else_from_strangers(ports: s3.Ports, method: str, path: str) -> None:
    assert anonymous(ports, method, path).status == 403
    assert keys(ports) == {"photos/x", "private/x"}
    assert anonymous(ports, "GET", "/photos/x").data == b"bytes"


def test_it_rejects_a_wrong_secret(ports: s3.Ports) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(ports, secret="a wrong secret of some length").put_object(Bucket=BUCKET, Key="photos/new", Body=b"")
    assert keys(ports) == {"photos/x", "private/x"}


def test_it_rejects_a_bucket_that_does_not_exist(ports: s3.Ports) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client(ports).put_object(Bucket="another-bucket", Key="photos/x", Body=b"")


def test_nothing_listens_beyond_this_machine(directory: Path, ports: s3.Ports) -> None:
    server = psutil.Process(int(directory.with_name("s3.pid").read_text()))
    listening = [found.laddr for found in server.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
    ours = {port + extra for port in vars(ports).values() for extra in (0, s3.GRPC)}
    assert {address.port for address in listening} == ours
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_a_restart_keeps_objects_and_policy_and_stops_what_an_earlier_run_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = s3.free_ports()
    orphan = s3.start(tmp_path / "s3", ports, BUCKET)
    client(ports).put_object(Bucket=BUCKET, Key="photos/kept", Body=b"kept")

    server = s3.start(tmp_path / "s3", ports, BUCKET)
    try:
        assert f"Stopping S3 (process {orphan.process.pid})" in capsys.readouterr().out
        assert orphan.process.wait(timeout=10) == 0
        assert anonymous(ports, "GET", "/photos/kept").data == b"kept"
        assert keys(ports) == {"photos/kept"}
    finally:
        server.stop()
    assert not psutil.pid_exists(server.process.pid)
    assert not [path for path in server.litter if path.exists()]
