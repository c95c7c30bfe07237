"""The client's address: the last one that the platform's router forwarded, and an IPv6 one by its /64 network."""

import pytest
from flask import Flask

from app.web import proxy


def network(forwarded: str | None, peer: str = "10.0.0.1", hops: int = 1) -> str:
    """What a limit by address counts, behind so many proxies."""
    app = Flask(__name__)
    app.config.update(PROXY_HOPS=hops, HTTPS=False)
    proxy.init_app(app)
    app.add_url_rule("/", view_func=proxy.client_network)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return app.test_client().get("/", headers=headers, environ_base={"REMOTE_ADDR": peer}).text


@pytest.mark.parametrize(
    ("forwarded", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 6.6.6.6,203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, evil, 203.0.113.8", "203.0.113.8"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("6.6.6.6, 2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "10.0.0.1"),
    ],
)
def test_behind_the_router_the_last_forwarded_address_counts(forwarded: str | None, counted: str) -> None:
    assert network(forwarded) == counted


def test_without_a_router_a_forwarded_address_is_ignored() -> None:
    assert network("6.6.6.6", peer="203.0.113.7", hops=0) == "203.0.113.7"


@pytest.mark.parametrize("garbage", ["", "evil", "1.2.3", "203.0.113.7:80", "/run/socket"])
def test_all_that_is_no_address_is_counted_as_one(garbage: str) -> None:
    assert network(None, peer=garbage) == "None"
