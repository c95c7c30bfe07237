"""Fetch a web page that a user named. The one door; the modules inside are imported by nobody else.

A server that fetches any URL can be made to read what only it can reach: its own ports, its neighbours, the metadata
service of its cloud. That attack is SSRF (server-side request forgery). What is done against it:

- Private addresses: `vetting.VettedAddress` cannot be created for an address outside of the public internet, and
  `connecting.connect` takes nothing else. So an address that was not vetted cannot be connected to.
- DNS rebinding: a name is resolved once a hop. The connection goes to the address that was vetted, and nothing resolves
  the name a second time. If one of several addresses is bad, the host is refused.
- Redirects: each hop is parsed, resolved and vetted like a URL that was typed. There are at most five.
- IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) is refused; so are other spellings of IPv4 (127.1, 0x7f.1, 2130706433).
- Ports 80 and 443 only, http and https only, no user name or password in the URL.
- Frames and refreshes of a page are hops like redirects. A visit makes at most twelve requests, all within its limits.
- No proxy or password of ours is sent, and no cookie but those that the same host has set within the visit. TLS
  certificates are verified for the name in the URL.
- Slow servers, endless answers and compressed bombs: one deadline for everything, one limit in bytes, and decompression
  in small pieces.

Imports inside go one way: `client` → `connecting` → `vetting`.
"""

from app.wordcounts.fetching.client import DEADLINE_SECONDS, MAX_BYTES, FetchedPage, Visit, fetch
from app.wordcounts.fetching.vetting import MAX_URL_LENGTH, AllowedServers, parse_url

__all__ = [
    "DEADLINE_SECONDS",
    "MAX_BYTES",
    "MAX_URL_LENGTH",
    "AllowedServers",
    "FetchedPage",
    "Visit",
    "fetch",
    "parse_url",
]
