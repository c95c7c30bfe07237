"""Object storage over the wire: an object goes out at once, without asking first whether it may (Expect)."""

import socket
from concurrent.futures import ThreadPoolExecutor

from app.storage import Bucket

CONTENT = b"a small photo"
ANSWER = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'


def received_by(server: socket.socket) -> bytes:
    """One request, head and body, which is answered only when all of it is there."""
    client, _ = server.accept()
    with client:
        client.settimeout(10)
        request = b""
        while CONTENT not in request:
            request += client.recv(65536)
        client.sendall(ANSWER)
    return request


def test_an_object_is_sent_without_waiting_for_a_permission() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        request = threads.submit(received_by, server)
        bucket = Bucket(
            {
                "S3_BUCKET": "bucket",
                "S3_PREFIX": "",
                "S3_PUBLIC_URL": "",
                "S3_REGION": "us-east-1",
                "S3_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
                "S3_ACCESS_KEY_ID": "key",
                "S3_SECRET_ACCESS_KEY": "secret",
            }
        )
        bucket.client.put_object(Bucket="bucket", Key="key", Body=CONTENT)
        assert b"expect:" not in request.result().lower()
