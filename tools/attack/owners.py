"""Try other people's things (IDOR), and sessions that are over: cookies and links that are played again."""

from collections.abc import Iterator
from functools import partial

from app.accounts import tokens
from app.accounts.models import SignUpLink, User
from app.extensions import db
from tools.attack.finding import Finding, fingerprint
from tools.attack.forms import PLAUSIBLE
from tools.attack.lists import in_lists
from tools.attack.takers import other_peoples_by_token
from tools.bench.client import PASSWORD, Client
from tools.bench.site import Site, own_things, routes

NEW_PASSWORD = "nineteen grey anchors"
OWN_PAGES = ("/notes", "/mypage", "/todos", "/mypage/export")
FOREIGN_TARGETS = (
    *("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example"),
    *("https:evil.example", "javascript:alert(1)", "%2f%2fevil.example", "/%09/evil.example", "/\t/evil.example"),
)


def other_peoples(site: Site) -> Finding:
    finding = Finding("other people's ids", "404 (or sign-in), and their rows stay")
    alice, mallory = site.sign_up("alice"), site.sign_up("mallory")
    ids = own_things(site, alice)
    site.client(alice)
    [(ids["session_id"],)] = site.rows(f"SELECT max(id) FROM user_sessions WHERE user_id = {alice.id}")
    before = fingerprint(site, alice.id)
    owned = {rule.endpoint for rule in site.app.url_map.iter_rules() if rule.arguments & ids.keys()}
    for client in (site.client(mallory), Client(site.port)):
        for method in ("GET", "POST"):
            for endpoint, path in routes(site.app, method, ids):
                if endpoint not in owned:
                    continue
                fields = {**PLAUSIBLE, "csrf_token": client.token()} if method == "POST" else None
                answer = client.request(method, path, fields=fields)
                refused = answer.status == 404 or answer.headers.get("Location", "").startswith("/sign-in")
                refused = refused or (endpoint.startswith("api.") and answer.status == 401)  # a cookie is nothing there
                finding.expect(refused, f"{answer.status} {method} {endpoint}")
    finding.expect(fingerprint(site, alice.id) == before, "rows changed")
    count = site.rows(f"SELECT count(*) FROM user_sessions WHERE id = {ids['session_id']}")
    finding.expect(count == [(1,)], "session ended")
    return finding


def is_signed_out(client: Client) -> bool:
    return all(client.get(path).headers.get("Location", "").startswith("/sign-in") for path in OWN_PAGES)


def _sign_out(client: Client, other: Client) -> None:
    client.submit("/sign-out")


def _change_password(client: Client, other: Client) -> None:
    other.submit("/mypage/password", current_password=PASSWORD, new_password=NEW_PASSWORD)


def _delete(client: Client, other: Client) -> None:
    other.submit("/mypage/delete", password=PASSWORD)


def _end_others(client: Client, other: Client) -> None:
    other.submit("/mypage/devices/sign-out-others")


ENDINGS = {"sign-out": _sign_out, "a new password": _change_password, "deletion": _delete, "being ended": _end_others}


def cookies_again(site: Site) -> Finding:
    finding = Finding("cookies played again, cut or forged", "nobody is signed in by them")
    for number, (name, end) in enumerate(ENDINGS.items()):
        user = site.sign_up(f"ended{number}")
        client, other = site.client(user), site.client(user)
        stolen = client.copy()
        end(client, other)
        finding.expect(is_signed_out(stolen), f"after {name}")
    user = site.sign_up("forged")
    whole = site.client(user)
    name, value = max(whole.cookies.items(), key=lambda cookie: len(cookie[1]))
    forgeries = {
        "cut": value[: len(value) // 2],
        "longer": value + "A",
        "flipped": value.swapcase(),
        "empty": "",
        "SQL": "' OR 1=1--",
        "with another first byte": chr(ord(value[0]) ^ 1) + value[1:],
        "of another key": "eyJfdXNlcl9pZCI6IjEifQ.aSGx0A." + "A" * 27,
    }
    for kind, forged in forgeries.items():
        thief = Client(site.port)
        thief.cookies = {name: forged}
        finding.expect(is_signed_out(thief), f"{name} {kind}")
    return finding


def _token(site: Site, user: User, purpose: str, email: str | None = None) -> str:
    with site.app.app_context():
        token_id = tokens.reserve(user.id, purpose, email or user.email)
        db.session.commit()
        return tokens.draw(token_id)[0]


def _sign_up_token(site: Site, email: str) -> str:
    with site.app.app_context():
        return tokens.draw(tokens.reserve_sign_up(email), SignUpLink)[0]


def _every_link_twice(site: Site, finding: Finding) -> None:
    user = site.sign_up("twice")
    password, account = {"new_password": NEW_PASSWORD}, {"nickname": "newcomer", "password": PASSWORD}
    # A link that is used voids the account's others, so each is drawn when its turn comes.
    _try_twice(site, finding, f"/new-password/{_token(site, user, tokens.RESET_PASSWORD)}", password)
    _try_twice(site, finding, f"/confirm-email/{_token(site, user, tokens.CONFIRM_EMAIL)}", {})
    _try_twice(site, finding, f"/new-email/{_token(site, user, tokens.CHANGE_EMAIL, 'moved@example.com')}", {})
    _try_twice(site, finding, f"/sign-up/{_sign_up_token(site, 'newcomer@example.com')}", account)


def _try_twice(site: Site, finding: Finding, link: str, fields: dict[str, str]) -> None:
    for expected in (302, 410, 410):
        answer = Client(site.port).submit(link, **fields)
        finding.expect(answer.status == expected, f"{answer.status}, not {expected}: {link.split('/')[1]}")


def _sign_up_after_leaving(site: Site, finding: Finding) -> None:
    """Play a link again whose account is gone: the address is free then, and the link is not."""
    link = f"/sign-up/{_sign_up_token(site, 'leaver@example.com')}"
    leaver = Client(site.port)
    leaver.submit(link, nickname="leaver", password=PASSWORD)
    leaver.forget_token()  # its session began again
    finding.expect(leaver.submit("/mypage/delete", password=PASSWORD).status == 302, "no account to delete")
    answer = Client(site.port).submit(link, nickname="leaver", password=PASSWORD)
    finding.expect(answer.status == 410, f"{answer.status}, not 410: sign-up after deletion")
    finding.expect(site.rows("SELECT FROM users WHERE email = 'leaver@example.com'") == [], "a second account")


def links_again(site: Site) -> Finding:
    finding = Finding("links of mails: twice, for another use", "used once, for what it was sent for: else 410")
    user = site.sign_up("linked")
    token = _token(site, user, tokens.RESET_PASSWORD)
    for path in ("confirm-email", "new-email"):
        finding.expect(Client(site.port).submit(f"/{path}/{token}").status in (302, 410), path)
    taken = site.rows(f"SELECT count(*) FROM account_tokens WHERE user_id = {user.id}")
    finding.expect(taken == [(1,)], "another page used it up")
    _every_link_twice(site, finding)
    _sign_up_after_leaving(site, finding)
    for made_up in (token[:-1], token.swapcase(), "x" * 43, "%00", "' OR 1=1--"):
        answer = Client(site.port).submit(f"/new-password/{made_up}", new_password=NEW_PASSWORD)
        finding.expect(answer.status in (404, 410), f"{answer.status} made up")
    return finding


def redirects(site: Site) -> Finding:
    finding = Finding("redirects to other sites", "after the sign-in, to a path of ours")
    user = site.sign_up("redirected")
    for target in FOREIGN_TARGETS:
        site.rows("DELETE FROM rate_limits")
        client = Client(site.port)
        fields = {"csrf_token": client.token(), "email": user.email, "password": PASSWORD, "next": target}
        answer = client.request("POST", "/sign-in?next=" + target.replace("\t", "%09"), fields=fields)
        location = answer.headers.get("Location", "")
        local = location.startswith("/") and location[1:2] not in ("/", "\\") and "\t" not in location
        finding.expect(answer.status == 302 and local, f"{answer.status} {target} leads to {location}")
    return finding


def attacks(site: Site, quick: bool) -> Iterator[Finding]:
    by_token = partial(other_peoples_by_token, quick=quick)
    for attack in (other_peoples, by_token, in_lists, cookies_again, links_again, redirects):
        site.rows("DELETE FROM rate_limits")
        yield attack(site)
