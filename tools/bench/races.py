"""Race many clients over HTTP: they do the same thing at the same moment, round after round, and exactly one wins.

Exit code 1 when a round had no winner or two, or when anything answered 5xx but the 503 of a full upload.
Run: .venv/bin/python -m tools.bench.races [--clients 50] [--rounds 20] [--quick]
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.accounts import tokens
from app.accounts.models import SignUpLink
from app.extensions import db
from app.notes import service as notes
from app.todos import service as todos
from tests.photos.photo_files import oriented_photo
from tools.bench.client import PASSWORD, Client
from tools.bench.load import statuses_at_once
from tools.bench.site import Site, site

NEW_PASSWORD = "eighteen green ladders"  # noqa: S105 - of an account that lives as long as the command

Act = Callable[[int, Client], int]  # the number of the client; returns a status


@dataclass(frozen=True)
class Round:
    act: Act  # what each client does
    clients: list[Client]  # with what they need: sessions and CSRF tokens
    query: str
    rows: list[tuple[object, ...]]  # that have to be there afterwards
    winners: int | None = 1  # None: at least one


class Races:
    def __init__(self, raced: Site, clients: int) -> None:
        self.site, self.number = raced, clients

    def strangers(self) -> list[Client]:
        clients = [self.site.client() for _ in range(self.number)]
        for client in clients:
            client.token()
        return clients

    def windows(self, name: str) -> tuple[int, list[Client]]:
        """Return the id of a new user, and that many windows of one signed-in browser."""
        user = self.site.sign_up(name)
        first = self.site.client(user)
        first.token()
        return user.id, [first.copy() for _ in range(self.number)]

    def same_address(self, name: str) -> Round:
        with self.site.app.app_context():
            link_id = tokens.reserve_sign_up(f"{name}@example.com")
            token, _ = tokens.draw(link_id, SignUpLink)

        def sign_up(number: int, client: Client) -> int:
            return client.submit(f"/sign-up/{token}", nickname=f"{name}{number}", password=PASSWORD).status

        return Round(
            sign_up, self.strangers(), f"SELECT count(*) FROM users WHERE email = '{name}@example.com'", [(1,)]
        )

    def nickname(self, name: str) -> Round:
        clients = [self.site.client(self.site.sign_up(f"{name}x{number}")) for number in range(self.number)]
        for client in clients:
            client.token()

        def rename(_: int, client: Client) -> int:
            return client.submit("/mypage/nickname", nickname=name).status

        return Round(rename, clients, f"SELECT count(*) FROM users WHERE nickname = '{name}'", [(1,)])

    def token_use(self, name: str) -> Round:
        user = self.site.sign_up(name)
        with self.site.app.app_context():
            token_id = tokens.reserve(user.id, tokens.RESET_PASSWORD, user.email)
            db.session.commit()
            token, _ = tokens.draw(token_id)

        def use(_: int, client: Client) -> int:
            return client.submit(f"/new-password/{token}", new_password=NEW_PASSWORD).status

        return Round(use, self.strangers(), f"SELECT count(*) FROM account_tokens WHERE user_id = {user.id}", [(0,)])

    def password(self, name: str) -> Round:
        user_id, windows = self.windows(name)

        def change(_: int, client: Client) -> int:
            fields = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
            answer = client.submit("/mypage/password", **fields)
            return 0 if answer.headers.get("Location", "").startswith("/sign-in") else answer.status

        return Round(change, windows, f"SELECT count(*) FROM user_sessions WHERE user_id = {user_id}", [(1,)])

    def note(self, name: str) -> Round:
        user_id, windows = self.windows(name)
        with self.site.app.app_context():
            note_id = notes.create_note(user_id, "title", "start")

        def save(number: int, client: Client) -> int:
            return client.submit(f"/notes/{note_id}", title="t", content=f"window {number}", version="1").status

        return Round(save, windows, f"SELECT version FROM notes WHERE id = {note_id}", [(2,)])

    def todo(self, name: str) -> Round:
        user_id, windows = self.windows(name)
        with self.site.app.app_context():
            todo_id = todos.create_todo(user_id, "race")

        def delete(_: int, client: Client) -> int:
            return client.submit(f"/todos/{todo_id}/delete").status

        return Round(
            delete, windows, f"SELECT count(*) FROM todos WHERE id = {todo_id} AND deleted_at IS NOT NULL", [(1,)]
        )

    def upload(self, name: str) -> Round:
        user_id, windows = self.windows(name)
        photo = ("me.jpg", oriented_photo(1), "image/jpeg")

        def put(_: int, client: Client) -> int:
            return client.submit("/mypage/photo", photo=photo).status

        shown = f"SELECT count(*) FROM users WHERE id = {user_id} AND image_url IS NOT NULL"
        return Round(put, windows, shown, [(1,)], winners=None)


KINDS: dict[str, Callable[[Races, str], Round]] = {
    "sign-up with one address": Races.same_address,
    "one nickname": Races.nickname,
    "a token used": Races.token_use,
    "a password changed": Races.password,
    "a note saved": Races.note,
    "a todo deleted": Races.todo,
    "photos uploaded": Races.upload,
}


def race(raced: Site, clients: int, rounds: int) -> Iterator[tuple[str, Counter[int], int]]:
    """Yield the name of each kind, how often each status came, and how many rounds went wrong."""
    races = Races(raced, clients)
    for kind, (name, prepare) in enumerate(KINDS.items()):
        found: Counter[int] = Counter()
        wrong = 0
        for number in range(rounds):
            round_ = prepare(races, f"racer{kind}x{number}")
            statuses = statuses_at_once(round_.act, round_.clients)
            raced.rows("DELETE FROM rate_limits")
            won = statuses[302]
            failed = sum(count for status, count in statuses.items() if status >= 500)
            if round_.winners is None:
                good = won >= 1 and failed == statuses[503]
            else:
                good = won == round_.winners and not failed
            wrong += not good or raced.rows(round_.query) != round_.rows
            found += statuses
        yield name, found, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50, help="how many at once (50)")
    parser.add_argument("--rounds", type=int, default=20, help="how often (20)")
    parser.add_argument("--quick", action="store_true", help="5 clients, 2 rounds")
    options = parser.parse_args()
    clients, rounds = (5, 2) if options.quick else (options.clients, options.rounds)
    broken = 0
    print(f"{'race':28} {'clients':>8} {'rounds':>7} {'wrong':>6}  answers (0: signed out meanwhile)")
    with site(WEB_CONCURRENCY="2") as raced:
        for name, found, wrong in race(raced, clients, rounds):
            print(f"{name:28} {clients:8} {rounds:7} {wrong:6}  {dict(found)}", flush=True)
            broken += wrong
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
