"""Seed data: the same people, notes, todos and word counts in every database, and how they sign in."""

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from html import unescape
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

import psycopg2

from app.accounts.hashing import hash_password
from tools.bench.client import Client

PASSWORD = "seventeen blue kettles"  # noqa: S105 - of accounts that live as long as the command
READERS = [f"reader{number:02}" for number in range(1, 17)]  # who only read, so that their pages stay as they are
WRITERS = [f"writer{number:02}" for number in range(1, 33)]  # so many that no rate limit of writes is reached
NOTES = 500  # of each of them
FEW, MANY = "few", "many"  # two more readers, for what grows with the notes of a person
OWNED = {FEW: 50, MANY: 50_000}
EXCERPT = 200  # characters of a note that the list shows

WORDS = """
a small moon over the river this morning bread and coffee then a long walk by the old bridge where nobody was yet
call the dentist about Thursday ask mother for the recipe with potatoes and pumpkin read the second chapter again
반달 저녁 하늘 남쪽 멸치 육수 감자 애호박 오늘 아침 다리 위에서 본 것 내일 다시 읽기
"""
TOKEN = re.compile(r'name="(csrf_token|csrfmiddlewaretoken)"[^>]* value="([^"]+)"')

# Every schema here has these columns. The newest note has the highest id. The first page has neither tags nor pins, so
# that its rows are alike; the tag "book" fills a page of everybody's.
USERS = """
INSERT INTO users (email, nickname, nickname_key, password_hash)
SELECT name || '@example.com', name, name, %s FROM unnest(%s) AS name
"""
FILL_NOTES = """
INSERT INTO notes (user_id, title, content, tags, created_at, updated_at)
SELECT users.id, 'Note ' || n, (%s::text[])[1 + n %% 500],
       CASE WHEN n BETWEEN 21 AND 50 OR n > 50 AND n %% 10 = 0 THEN ARRAY['book', 'tag' || n %% 40] ELSE '{}' END,
       written, written
FROM users, generate_series(1, %s) AS n,
     LATERAL (SELECT date_trunc('second', now()) - n * interval '1 second') AS moment (written)
WHERE nickname = ANY(%s) ORDER BY n DESC, users.id
"""
FILL_REST = """
INSERT INTO todos (user_id, description, completed, position, completed_at)
SELECT id, 'Todo ' || n, n % 3 = 0, n, CASE WHEN n % 3 = 0 THEN now() END FROM users, generate_series(1, 20) AS n;

INSERT INTO results (user_id, url, final_url, title, status, result_all, result_no_stop_words, phrases,
    total_words, unique_words, content_words, characters, reading_seconds, finished_at)
SELECT id, 'https://example.com/' || n, 'https://example.com/' || n, 'Page ' || n, 'done', '{"the": 5, "moon": 3}',
    '{"moon": 3}', '{"2": {"the moon": 3}, "3": {"of the moon": 2}}', 10, 3, 5, 1234, 61, now()
FROM users, generate_series(1, 10) AS n
"""


class Visitor(NamedTuple):
    """A signed-in browser.

    Args:
        headers: lines of a request, with the cookie.
        token: the field of a form against CSRF, or nothing where the site has none.
        page: its list of notes.
    """

    headers: str
    token: dict[str, str]
    page: str

    def get(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\n{self.headers}\r\n".encode()

    def post(self, path: str, fields: dict[str, str]) -> bytes:
        body = urlencode(self.token | fields)
        kind = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        return f"POST {path} HTTP/1.1\r\n{self.headers}{kind}\r\n{body}".encode()


def fill(url: str) -> None:
    """Insert all rows into an empty database at head."""
    random = Random(1)
    texts = [" ".join(random.choices(WORDS.split(), k=random.randint(12, 60))) for _ in range(NOTES)]
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(USERS, (hash_password(PASSWORD), [*READERS, *WRITERS, *OWNED]))
        cursor.execute(FILL_NOTES, (texts, NOTES, [*READERS, *WRITERS]))
        for name, count in OWNED.items():
            cursor.execute(FILL_NOTES, (texts, count, [name]))
        cursor.execute(FILL_REST)
        cursor.execute("VACUUM (ANALYZE)")
    connection.close()


def sign_in(port: int, names: Iterable[str]) -> list[Visitor]:
    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(partial(_sign_in, port), names))


def _sign_in(port: int, name: str) -> Visitor:
    """Sign in by the form, as a browser does. Raises: RuntimeError."""
    client = Client(port)
    form = _token(client.get("/sign-in").text)
    fields = {"email": f"{name}@example.com", "password": PASSWORD, **form}
    answer = client.request("POST", "/sign-in", fields=fields, encode_multipart=False)
    page = client.get("/notes")
    if answer.status not in (302, 303) or page.status != 200:
        raise RuntimeError(f"sign-in answered {answer.status}, the list {page.status}: {answer.text[:500]}")
    return Visitor(headers(client), _token(page.text), page.text)


def stranger(port: int) -> Visitor:
    return Visitor(headers(Client(port)), {}, "")


def headers(client: Client) -> str:
    """What a browser behind a router sends, but for compression: the bytes are to be compared as they are."""
    lines = {"Host": client.url.removeprefix("http://"), "User-Agent": "bench", "Accept": "text/html", **client.headers}
    if client.cookies:
        lines["Cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items())


def _token(page: str) -> dict[str, str]:
    found = TOKEN.search(page)
    return {found[1]: unescape(found[2])} if found else {}
