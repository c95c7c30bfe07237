"""Send on a client's headers as the proxies of platforms do. docs/platforms.md says where that is documented."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from config import ProductionConfig, TestingConfig

Headers = Mapping[str, str]


class BehindAProxy(TestingConfig, ProductionConfig):
    """Production's policy, on the servers of the tests."""

    SERVES_STRANGERS = True  # the variables of a platform may be set


class Platform(NamedTuple):
    """
    Args:
        variables: what it sets in the environment, or its recipe has one set.
        forwarded: (the client's address, the headers that the client sends): the headers that arrive here.
    """

    variables: dict[str, str]
    forwarded: Callable[[str, Headers], dict[str, str]]


def appended(sent: Headers, *addresses: str) -> str:
    """Return X-Forwarded-For as each proxy lengthens it."""
    return ", ".join([*filter(None, [sent.get("X-Forwarded-For")]), *addresses])


def edge(*of: object) -> int:
    """Choose one of many servers of a network, as another one takes each request."""
    return len(repr(of)) % 100 + ord(str(of[0])[-1])


def nginx(client: str, sent: Headers) -> dict[str, str]:
    return {**sent, "X-Forwarded-For": appended(sent, client), "X-Forwarded-Proto": "https"}


def replacing(client: str, sent: Headers) -> dict[str, str]:
    return {**sent, "X-Forwarded-For": client, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}


def sozu(client: str, sent: Headers) -> dict[str, str]:
    """Leave X-Forwarded-Proto and X-Forwarded-Port as the client has sent them."""
    return {"X-Forwarded-Proto": "https", **sent, "X-Forwarded-For": appended(sent, client)}


def fly(client: str, sent: Headers) -> dict[str, str]:
    addresses = appended(sent, client, "66.241.125.7")  # the last is the application's own
    return {**sent, "X-Forwarded-For": addresses, "Fly-Client-IP": client, "X-Forwarded-Proto": "https"}


def railway(client: str, sent: Headers) -> dict[str, str]:
    addresses = f"{client}, 152.233.33.{edge(client, sent)}"
    return {**sent, "X-Forwarded-For": addresses, "X-Real-IP": client, "X-Forwarded-Proto": "https"}


def cloudflare(client: str, sent: Headers) -> dict[str, str]:
    return {**nginx(client, sent), "CF-Connecting-IP": client}


def render(client: str, sent: Headers) -> dict[str, str]:
    there = cloudflare(client, sent)
    return {**there, "True-Client-IP": client, "X-Forwarded-For": appended(there, "172.71.195.123", "10.226.90.65")}


def behind_cloudflare(proxy: Callable[[str, Headers], dict[str, str]]) -> Callable[[str, Headers], dict[str, str]]:
    return lambda client, sent: proxy(f"172.71.195.{edge(client)}", cloudflare(client, sent))


PLATFORMS = {
    "Heroku": Platform({"DYNO": "web.1"}, lambda client, sent: {**nginx(client, sent), "X-Forwarded-Port": "443"}),
    "Dokku": Platform({"DYNO": "web.1", "DOKKU_APP_TYPE": "herokuish"}, replacing),
    "Clever Cloud": Platform({"CC_DEPLOYMENT_ID": "deployment_1"}, sozu),
    "Fly.io": Platform({"FLY_APP_NAME": "notes", "FLY_MACHINE_ID": "1"}, fly),
    "Render": Platform({"RENDER": "true"}, render),
    "Railway": Platform({"RAILWAY_PROJECT_ID": "1", "RAILWAY_ENVIRONMENT": "production"}, railway),
    "Fly.io behind Cloudflare": Platform(
        {"FLY_APP_NAME": "notes", "CLIENT_ADDRESS": "X-Forwarded-For:3"}, behind_cloudflare(fly)
    ),
    "Railway behind Cloudflare": Platform(
        {"RAILWAY_PROJECT_ID": "1", "CLIENT_ADDRESS": "CF-Connecting-IP"}, behind_cloudflare(railway)
    ),
}

# What a client may send itself.
SPOOFS: dict[str, Headers] = {
    "nothing": {},
    "one": {"X-Forwarded-For": "6.6.6.6"},
    "a private one": {"X-Forwarded-For": "10.0.0.1"},
    "no address": {"X-Forwarded-For": "' OR 1=1--, unknown, _hidden"},
    "empty entries": {"X-Forwarded-For": ",, ,"},
    "ports": {"X-Forwarded-For": "[2001:db8::6]:443, 6.6.6.6:80, [2001:db8::6"},
    "headers of others": {"X-Real-IP": "6.6.6.6", "Fly-Client-IP": "6.6.6.6", "CF-Connecting-IP": "6.6.6.6"},
    "headers that are not read": {
        "Forwarded": 'for=6.6.6.6;proto=http;host="evil.example"', "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "6666", "X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil",
        "X-Forwarded-Protocol": "ssl", "X-Forwarded-Ssl": "off", "X-Forwarded-Scheme": "http",
    },
    "no scheme": {"X-Forwarded-Proto": "javascript"},
}  # fmt: skip
