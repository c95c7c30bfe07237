"""The servers of a test run: the ones that the environment names, else embedded ones on free ports."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.dev import ports, postgres, s3

BUCKET = "test"
S3_NAMES = (
    *("S3_BUCKET", "S3_ENDPOINT_URL", "S3_REGION", "S3_PREFIX", "S3_PUBLIC_URL"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)


@contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """DATABASE_URL, S3_* and AWS_* of running servers; what is started here ends with the block."""
    with ExitStack() as stack:
        yield {**database(folder, environ, stack), **bucket(folder, environ, stack)}


def database(folder: Path, environ: Mapping[str, str], stack: ExitStack) -> dict[str, str]:
    if environ.get("DATABASE_URL"):
        return {"DATABASE_URL": environ["DATABASE_URL"]}
    [port] = ports.find_free(1)
    stack.callback(postgres.start(folder / "postgres", port, durable=False).stop)
    return {"DATABASE_URL": postgres.url(port)}


def bucket(folder: Path, environ: Mapping[str, str], stack: ExitStack) -> dict[str, str]:
    if environ.get("S3_BUCKET"):
        return {name: environ[name] for name in S3_NAMES if name in environ}
    free = s3.free_ports()
    stack.callback(s3.start(folder / "s3", free, BUCKET).stop)
    return {
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": s3.endpoint(free),
        "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
    }
