"""Reading the environment variables of the bucket: our own, else those of the add-ons Bucketeer or Cloudcube."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from environment.values import HOST, ConfigError, read, require

REGION = re.compile(r"[A-Za-z0-9-]{1,63}")
BUCKET = re.compile(r"[A-Za-z0-9._-]{3,63}")
# Characters that no store and no browser changes: the first group of
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html#object-key-guidelines
PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]*")
PATH, VIRTUAL = "path", "virtual"
LABEL = re.compile(r"[a-z0-9][a-z0-9-]+[a-z0-9]")  # a bucket that a host can have in its name, and its certificate too
NUMBER = re.compile(r"[0-9.]+|.*:.*")  # an address of IP
# The variables that each family needs; the first one tells that it is there.
OWN = ("S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
BUCKETEER = (
    *("BUCKETEER_BUCKET_NAME", "BUCKETEER_AWS_REGION"),
    *("BUCKETEER_AWS_ACCESS_KEY_ID", "BUCKETEER_AWS_SECRET_ACCESS_KEY"),
)
CLOUDCUBE = ("CLOUDCUBE_URL", "CLOUDCUBE_ACCESS_KEY_ID", "CLOUDCUBE_SECRET_ACCESS_KEY")
LONGEST_ADDRESS = 200  # characters; users.image_url has 255, and a key adds 46 to the public URL and the prefix


@dataclass(frozen=True)
class ObjectStorage:
    """Name the store of photos. `prefix` begins every key; a browser loads `public_url` + "/" + key.

    `addressing` says where a request names the bucket: in its path, or in its host (virtual-hosted).
    """

    bucket: str
    region: str
    endpoint_url: str | None
    addressing: str
    prefix: str
    public_url: str
    access_key_id: str
    secret_access_key: str


def object_storage(env: Mapping[str, str]) -> ObjectStorage:
    """Return the bucket of the first family of variables that is set: S3_*, else Bucketeer's, else Cloudcube's.

    Of an add-on a single variable tells what is meant; AWS_ACCESS_KEY_ID alone may be another service's.
    """
    readers = {OWN: _own, BUCKETEER: _bucketeer, CLOUDCUBE: _cloudcube}
    named = (names for names in readers if env.get(names[0]))
    begun = (names for names in (BUCKETEER, CLOUDCUBE) if any(map(env.get, names)))
    family = [*named, *begun, OWN][0]
    require(env, *family)
    return readers[family](env)


def _own(env: Mapping[str, str]) -> ObjectStorage:
    bucket = _bucket(env, "S3_BUCKET")
    region = _region(env, "S3_REGION") if read(env, "S3_REGION") else "us-east-1"
    endpoint = _url(env, "S3_ENDPOINT_URL") if read(env, "S3_ENDPOINT_URL") else None
    addressing = _addressing(env, endpoint)
    default_public_url = _address(endpoint or f"https://s3.{region}.amazonaws.com", bucket, addressing)
    public_url = _url(env, "S3_PUBLIC_URL") if read(env, "S3_PUBLIC_URL") else default_public_url
    prefix = _prefix(env, "S3_PREFIX")
    if len(public_url) + len(prefix) > LONGEST_ADDRESS:
        raise ConfigError(f"S3_PUBLIC_URL and S3_PREFIX together are longer than {LONGEST_ADDRESS} characters.")
    keys = read(env, "AWS_ACCESS_KEY_ID"), read(env, "AWS_SECRET_ACCESS_KEY")
    return ObjectStorage(bucket, region, endpoint, addressing, prefix, public_url, *keys)


def _addressing(env: Mapping[str, str], endpoint: str | None) -> str:
    """Return S3_ADDRESSING, else virtual of Amazon, and path of another store: one of our own has a single name."""
    value = read(env, "S3_ADDRESSING") or (PATH if endpoint else VIRTUAL)
    if value not in (PATH, VIRTUAL):
        raise ConfigError("S3_ADDRESSING has to be path or virtual.")
    return value


def _address(store: str, bucket: str, addressing: str) -> str:
    """Return where browsers find the bucket: where botocore does, which takes the path for what no host can hold."""
    url = urlsplit(store)
    if addressing == PATH or not LABEL.fullmatch(bucket) or NUMBER.fullmatch(str(url.hostname)):
        return f"{store}/{bucket}"
    return url._replace(netloc=f"{bucket}.{url.netloc}").geturl()


def _bucketeer(env: Mapping[str, str]) -> ObjectStorage:
    """Read Bucketeer's variables. In its buckets everybody can read the keys under `public/`, and no others."""
    bucket, region = _bucket(env, "BUCKETEER_BUCKET_NAME"), _region(env, "BUCKETEER_AWS_REGION")
    keys = read(env, "BUCKETEER_AWS_ACCESS_KEY_ID"), read(env, "BUCKETEER_AWS_SECRET_ACCESS_KEY")
    return ObjectStorage(bucket, region, None, VIRTUAL, "public/", f"https://{bucket}.s3.{region}.amazonaws.com", *keys)


def _cloudcube(env: Mapping[str, str]) -> ObjectStorage:
    """Read https://BUCKET.s3.amazonaws.com/CUBE. All keys begin with CUBE; everybody reads CUBE/public/."""
    url = urlsplit(_url(env, "CLOUDCUBE_URL"))
    host, cube = str(url.hostname), url.path.strip("/")
    bucket, _, store = host.partition(".")
    if not store or not cube or "/" in cube:
        raise ConfigError("CLOUDCUBE_URL has to look like https://BUCKET.s3.amazonaws.com/CUBE, as the add-on sets it.")
    keys = read(env, "CLOUDCUBE_ACCESS_KEY_ID"), read(env, "CLOUDCUBE_SECRET_ACCESS_KEY")
    return ObjectStorage(bucket, "us-east-1", None, VIRTUAL, f"{cube}/public/", f"https://{host}", *keys)


def _bucket(env: Mapping[str, str], name: str) -> str:
    value = read(env, name)
    if not BUCKET.fullmatch(value):
        raise ConfigError(f"{name} has to be the name of a bucket: 3 to 63 letters, digits, dots and dashes.")
    return value


def _region(env: Mapping[str, str], name: str) -> str:
    value = read(env, name)
    if not REGION.fullmatch(value):
        raise ConfigError(f"{name} has to be the name of a region, such as eu-central-1.")
    return value


def _prefix(env: Mapping[str, str], name: str) -> str:
    """Return the prefix with one slash at its end, or ""."""
    value = read(env, name).strip("/")
    if not PREFIX.fullmatch(value) or {"", ".", ".."} & set(value.split("/") if value else ()):
        raise ConfigError(f"{name} has to be folder names of letters, digits and dashes, with / between them.")
    return f"{value}/" if value else ""


def _url(env: Mapping[str, str], name: str) -> str:
    """Return an address that a browser or a client can use as it stands, without a slash at its end."""
    value = read(env, name)
    try:
        url = urlsplit(value)
        is_usable = url.scheme in ("http", "https") and HOST.fullmatch(url.hostname or "") and url.port != 0
    except ValueError:  # the port, or the brackets of an IPv6 address
        is_usable = False
    if not is_usable or url.username is not None or not re.fullmatch(r"[A-Za-z0-9:/._\[\]~%-]+", value):
        raise ConfigError(f"{name} has to be a URL such as https://s3.example.com, without a user name or a query.")
    return value.rstrip("/")
