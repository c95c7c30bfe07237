"""Fuzz every field of every form, every id and every query, with values that nobody types."""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from tools.attack.finding import Finding
from tools.attack.forms import PLAUSIBLE, Form, forms_of
from tools.bench.client import Answer, Client
from tools.bench.site import Site, own_things, routes

MARK = "zqx"  # what is reflected with markup around it was not escaped
VALUES: dict[str, bytes] = {
    "nothing": b"",
    "NUL": b"a\x00b",
    "lone surrogate": b"\xed\xa0\x80",
    "no UTF-8": b"\xff\xfe\xfa",
    "right to left": "\u202ednim\u202c".encode(),
    "zero width": "a\u200bb\ufeff".encode(),
    "100,000 letters": b"x" * 100_000,
    "10^400": b"1" + b"0" * 400,
    "2^63": b"9223372036854775808",
    "-1": b"-1",
    "Arabic digits": "١٢".encode(),
    "1e309": b"1e309",
    "CRLF": b"a\r\nSet-Cookie: zqx=1\r\n\r\n",
    "script": b"<script>zqx</script>",
    "attribute": b"\"'><img src=x onerror=zqx>",
    "template": b"{{7191*7}}${7191*7}<%= 7191*7 %>",
    "SQL": b"'; SELECT pg_sleep(11)--",
    "SQL union": b"1) UNION SELECT password_hash FROM users--",
    "format": b"%s%n{0}{0.__class__}",
    "path": b"../../../../etc/passwd",
    "URL": b"javascript:zqx",
    "file URL": b"file:///etc/passwd",
    "metadata": b"http://169.254.169.254/latest/meta-data/",
    "spaces": b" " * 60,
    "combining": ("a" + "\u0301" * 500).encode(),
}
QUICK = ("NUL", "lone surrogate", "10^400", "script", "template", "SQL")
VARIABLE = re.compile(r"<[^>]+>")  # of a path
IDS = (
    "-1",
    "0",
    str(2**63),
    "1" + "0" * 400,
    "١",
    "1.0",
    "1%00",
    "..%2f..%2fetc%2fpasswd",
    "%ff",
    "null",
    "[]",
    "1;x=1",
)
REFLECTED = ("<script>zqx", "<img src=x onerror=zqx", "50337", "Set-Cookie: zqx\n", "root:x:0:0")
PER_ROUND = 15  # requests until the buckets of the rate limits are emptied, which are another attack


def is_clean(answer: Answer) -> bool:
    """Look for what was sent; a signed cookie may hold any three letters by chance, so for a cookie of that name."""
    cookies = re.split("[,;] *", answer.headers.get("Set-Cookie", ""))
    return not any(words in answer.text for words in REFLECTED) and not any(one.startswith(MARK) for one in cookies)


def send(client: Client, form: Form, changes: dict[str, bytes], extra: list[tuple[str, bytes]] | None = None) -> Answer:
    """Send a form as a browser would, but for the changed fields. `extra` fields come on top, also of the same name."""
    fields: dict[str, str | bytes] = {name: PLAUSIBLE.get(name, value) for name, value in form.fields.items()}
    if "csrf_token" in fields:
        fields["csrf_token"] = client.token()
    body = urlencode([*{**fields, **changes}.items(), *(extra or [])])
    if not form.is_post:
        return client.get(f"{form.action.partition('?')[0]}?{body[:3500]}")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.request("POST", form.action, headers=headers, body=body)


class Fuzzer:
    def __init__(self, site: Site, quick: bool) -> None:
        self.site = site
        self.values = {name: VALUES[name] for name in QUICK} if quick else VALUES
        self.user = site.sign_up("fuzzed")
        self.ids = own_things(site, self.user)
        self.client = site.client(self.user)
        self.stranger = site.client()
        self._sent = 0

    def alive(self, client: Client) -> Client:
        """Return the client; signed in again when a form has signed it out. Empties the rate limits now and then."""
        self._sent += 1
        if self._sent % PER_ROUND == 0:
            self.site.rows("DELETE FROM rate_limits")
        if client is not self.client:
            return client
        if self._sent % PER_ROUND == 0 and client.get("/mypage").status != 200:
            self.client = self.site.client(self.user)
        return self.client

    def forms(self) -> Iterator[tuple[Client, Form]]:
        pages = [path for _, path in routes(self.site.app, "GET", self.ids)]
        for client, form in forms_of([self.client, self.stranger], pages):
            if form.action != "/sign-out":
                yield client, form

    def fields(self) -> Finding:
        finding = Finding("hostile values in every field", "no 5xx, nothing reflected or run")
        for client, form in self.forms():
            for field in form.fields:
                for name, value in self.values.items():
                    answer = send(self.alive(client), form, {field: value})
                    finding.expect_page(answer, f"{form.action} {field}={name}", also=is_clean(answer))
        return finding

    def shapes(self) -> Finding:
        finding = Finding("repeated, missing and foreign fields", "no 5xx")
        for client, form in self.forms():
            extra = [(field, b"again") for field in form.fields]
            arrays = [(f"{field}[]", b"x") for field in form.fields]
            foreign = [
                ("id", b"1"),
                ("user_id", b"1"),
                ("is_admin", b"1"),
                ("password_hash", b"x"),
                ("__proto__", b"x"),
            ]
            for kind, changes, more in (
                ("twice", {}, extra),
                ("as arrays", dict.fromkeys(form.fields, b""), arrays),
                ("of other tables", {}, foreign),
                ("10,000 fields", {}, [(f"f{number}", b"x") for number in range(10_000)]),
            ):
                answer = send(self.alive(client), form, changes, more)
                finding.expect_page(answer, f"{form.action} {kind}")
        return finding

    def addresses(self) -> Finding:
        finding = Finding("ids and queries that nobody links", "no 5xx, nothing reflected or run")
        for rule in self.site.app.url_map.iter_rules():
            for value in IDS if rule.arguments else ():
                path = VARIABLE.sub(value, rule.rule)
                for method in {"GET", "POST"} & (rule.methods or set()):
                    form = Form(path, {"csrf_token": ""}, is_post=method == "POST")
                    answer = send(self.alive(self.client), form, {})
                    finding.expect_page(answer, f"{method} {rule.rule} {value[:20]}")
        for endpoint, path in routes(self.site.app, "GET", self.ids):
            for parameter in ("q", "before", "show", "tag", "next", "stop_words", "year", "page"):
                for name, hostile in self.values.items():
                    answer = self.alive(self.client).get(f"{path}?{parameter}={quote(hostile[:3000])}")
                    finding.expect_page(answer, f"{endpoint} {parameter}={name}", also=is_clean(answer))
        return finding


def attacks(site: Site, quick: bool) -> Iterator[Finding]:
    fuzzer = Fuzzer(site, quick)
    yield fuzzer.fields()
    yield fuzzer.shapes()
    yield fuzzer.addresses()
