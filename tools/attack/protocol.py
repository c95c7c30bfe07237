"""Send requests that no browser sends: methods, content types, headers, cookies, bodies; without a CSRF token."""

from collections.abc import Iterator

from tools.attack.finding import Finding, fingerprint
from tools.attack.forms import PLAUSIBLE
from tools.bench.client import Client
from tools.bench.site import Site, own_things, routes

MEBIBYTE = 2**20
METHODS = ("PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "BREW", "OPTIONS")
CONTENT_TYPES = {
    "application/json": b'{"title": "t", "content": {"$gt": ""}}',
    "application/xml": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "text/plain": b"csrf_token=x",
    "multipart/form-data": b"--x\r\n",
    "multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nt',
    "application/x-www-form-urlencoded; charset=utf-7": b"title=+ADw-script+AD4-",
    "application/x-python-serialize": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
}
HEADERS: tuple[dict[str, str], ...] = (
    {"Host": "evil.example"},
    {"Host": "a" * 70 + ".example"},
    {"Host": "127.0.0.1:1@evil.example"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "javascript"},
    {"X-Forwarded-Prefix": "//evil.example"},
    {"X-Forwarded-For": "127.0.0.1, ' OR 1=1--, ::ffff:10.0.0.1"},
    {"X-Original-URL": "/mypage"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"SCRIPT_NAME": "/evil.example"},
    {"Range": "bytes=0-0,1-1,2-2,99999999999999999999-"},
    {"If-None-Match": '"' + "x" * 4000 + '"'},
    {"Accept": "application/json;q=" + "9" * 400},
    {"Accept-Language": "ko-" * 400},
    {"Accept-Language": "../../../../etc/passwd"},
    {"Accept-Encoding": "gzip;q=nan"},
    {"Cookie": "; ".join(f"c{number}=x" for number in range(150))},
    {"Cookie": "__Host-session=\x7f; language=xx; theme=<script>"},
    {"Cookie": "language=" + "k" * 3000},
    {"Content-Length": "0", "X-Request-ID": "x\t" + "y" * 500},
    {"User-Agent": "'; DROP TABLE users--" * 20},
    {"Referer": "https://evil.example/"},
    {"HX-Request": "true", "HX-Target": "<script>"},
)


def methods(site: Site, client: Client, paths: list[str]) -> Finding:
    finding = Finding("methods that no route has", "405 or 501, 200 for OPTIONS, no 5xx else")
    for path in paths:
        for method in METHODS:
            answer = client.request(method, path)
            expected = {200, 400, 401, 403, 404, 405, 501, 302}  # 401: of the API, to which a cookie is nobody
            finding.expect(answer.status in expected, f"{answer.status} {method} {path}")
    return finding


def headers(site: Site, client: Client, paths: list[str]) -> Finding:
    finding = Finding("headers that lie", "no 5xx, no foreign host in the answer")
    for path in paths:
        for header in HEADERS:
            answer = client.copy().request("GET", path, headers=header)  # a forged cookie may get another one
            told = answer.text + str(dict(answer.headers))
            good = answer.status < 500 and answer.status != 0 and "evil.example" not in told
            finding.expect(good, f"{answer.status} {path} {str(header)[:60]}")
    return finding


def bodies(site: Site, client: Client, posts: list[str]) -> Finding:
    finding = Finding("bodies of another type, or 10 MiB", "no 5xx, 413 when too large, nothing stored")
    [(user,)] = site.rows("SELECT id FROM users WHERE nickname = 'sender'")
    before = fingerprint(site, user)
    for path in posts:
        for content_type, body in CONTENT_TYPES.items():
            answer = client.request("POST", path, headers={"Content-Type": content_type}, body=body)
            finding.expect_page(answer, f"{path} {content_type}")
        kinds = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = client.request("POST", path, headers=kinds, body=b"title=" + b"x" * 10 * MEBIBYTE)
        # 0: closed while it was sent; 401: the API; 415: of a view that takes as much, and no such form
        finding.expect(answer.status in (0, 401, 413, 415), f"{answer.status} {path} 10 MiB")
    finding.expect(fingerprint(site, user) == before, "rows changed")
    finding.expect(client.get("/mypage").status == 200, "the session was lost, so all this proved little")
    return finding


def cross_site(site: Site, client: Client, posts: list[str]) -> Finding:
    """Forge cross-site requests: no token, one of another session, one of nobody; or from another site."""
    finding = Finding("POSTs without a CSRF token of theirs", "refused, nothing stored")
    [(user,)] = site.rows("SELECT id FROM users WHERE nickname = 'sender'")
    before, foreign, good = fingerprint(site, user), Client(site.port).token(), client.token()
    forgeries: dict[str, tuple[str, dict[str, str]]] = {
        "none": ("", {}),
        "foreign": (foreign, {}),
        "made up": ("x.y.z", {}),
    }
    elsewhere = {"other site": (good, {"Referer": "https://evil.example/"}), "no referer": (good, {"Referer": ""})}
    for path in posts:
        for kind, (token, sent) in {**forgeries, **elsewhere}.items():
            answer = client.request("POST", path, headers=sent, fields={**PLAUSIBLE, "csrf_token": token})
            refused = answer.status in (400, 401, 404, 410) or answer.headers.get("Location", "").startswith("/sign-in")
            finding.expect(refused or path == "/sign-in/again", f"{answer.status} {path} {kind}")
    finding.expect(fingerprint(site, user) == before, "rows changed")
    finding.expect(client.get("/mypage").status == 200, "the session was lost, so all this proved little")
    return finding


def attacks(site: Site, quick: bool) -> Iterator[Finding]:
    user = site.sign_up("sender")
    ids = own_things(site, user)
    gets = [path for _, path in routes(site.app, "GET", ids)]
    posts = [path for _, path in routes(site.app, "POST", ids)]
    for attack, paths in ((methods, gets), (headers, gets), (cross_site, posts), (bodies, posts)):
        site.rows("DELETE FROM rate_limits")
        yield attack(site, site.client(user), paths[::4] if quick else paths)
