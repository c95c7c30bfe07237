"""The accounts of the pages and their data, in Korean and English, with texts that break careless layouts."""

import re
from datetime import date, timedelta

from flask import current_app
from sqlalchemy import func, update

from app.accounts import access_tokens, events, letters, tokens
from app.accounts import service as accounts
from app.accounts.events import Client
from app.accounts.models import AccountEvent, AccountToken, EventKind, SignUpLink, User
from app.extensions import db
from app.notes import listing
from app.notes import service as notes
from app.notes.service import archive_note
from app.notes.sharing import share_note
from app.passkeys import service
from app.photos import service as photos
from app.todos import service as todos
from tests.browser.pages import EMPTY, FULL, KEYS, PAGES, PASSWORD, REFUSED
from tests.database import commit, made_up_id
from tests.passkeys.conftest import add_passkey
from tests.photos.photo_files import oriented_photo
from tests.samples import EMOJI, LONG_ADDRESS, LONG_KOREAN, LONG_WORD, RIGHT_TO_LEFT, SCRIPT, samples

Ids = dict[str, object]

# As long as allowed, with no place to break the line.
NICKNAME = "달빛아래" * 10 + "MoonlightReader" * 2
EMAIL = f"{'quite-a-long-address-' * 2}x@{'a-domain-of-some-length' * 2}.example.com"

HARD = (LONG_WORD, LONG_KOREAN, RIGHT_TO_LEFT, SCRIPT, EMOJI, LONG_ADDRESS, "-- \t'); DROP TABLE notes; --")
KOREAN = (
    "반만 적어 두세요. 나머지 반은 떠오릅니다. #달 #책\n\n- 우유\n- 책 반납\n- 저녁 산책",
    "회의 정리: 다음 주 화요일까지 초안을 나누고, 금요일에 다시 모인다. 장소는 3층 회의실.",
)
ENGLISH = (
    "Write down half of it. The other half will rise.\n\n1. milk\n2. return the books\n3. an evening walk",
    "Minutes: the draft goes round by Tuesday and we meet again on Friday, third floor.",
)
MARKDOWN = """# 제목
## Half

- [ ] 우유
- [x] **책** `반납`
  1. one
  2. two

> 인용 [link](https://example.com) #달

```
code
```
***
"""


def seed() -> Ids:
    """Make the accounts and their data, inside an application context. Returns the ids that the paths of pages need."""
    # Every sign-in stays a recent one, however long the tests take.
    db.session.execute(db.text("ALTER TABLE user_sessions ALTER created_at SET DEFAULT now() + interval '1 day'"))
    accounts.sign_up(address(EMPTY), "새벽", PASSWORD)
    full = accounts.sign_up(address(FULL), NICKNAME, PASSWORD)
    letters.note_refusal(accounts.sign_up(address(REFUSED), "refused", PASSWORD).id, address(REFUSED))
    photos.put_photo(full.id, oriented_photo(1))
    seed_events(full)
    add_passkey(accounts.sign_up(address(KEYS), "열쇠", PASSWORD))
    ids: Ids = {**seed_tokens(full), **seed_keys(full), **seed_notes(full.id), **seed_todos(full.id)}
    for each in samples():
        ids |= each.own(full)
        db.session.execute(db.text(each.share_all))
    return ids | seed_new_features(full.id)


def seed_new_features(user_id: int) -> Ids:
    """Make a row for each variable of a path that no function here knows."""
    names = {name for page in PAGES for name in re.findall(r"{(\w+_id)}", page.path)}
    ids = {name: made_up_id(name, user_id) for name in sorted(names)}
    db.session.commit()
    return ids


def address(who: str) -> str:
    return EMAIL if who == FULL else f"{who}@example.com"


def seed_tokens(user: User) -> Ids:
    """Make a link of each kind, which lives longer than the tests take."""
    purposes = (tokens.RESET_PASSWORD, tokens.CONFIRM_EMAIL, tokens.CHANGE_EMAIL)
    drawn = [tokens.draw(tokens.reserve(user.id, purpose, user.email))[0] for purpose in purposes]
    drawn += [
        tokens.draw(tokens.reserve_sign_up(email), SignUpLink)[0] for email in (f"new-{user.email}"[-120:], user.email)
    ]
    for links in (AccountToken, SignUpLink):
        db.session.execute(update(links).values(expires_at=func.now() + timedelta(days=1)))
    db.session.commit()
    return dict(
        zip(("reset_token", "confirm_token", "change_token", "sign_up_token", "used_token"), drawn, strict=True)
    )


def seed_events(user: User) -> None:
    """Make events of every kind, from known and unknown browsers, and more than a page holds."""
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0"
    for client in (Client("2001:db8:1234:5678:9abc:def0:1234:5678", chrome), Client(None, "")):
        for kind in EventKind:
            events.record(user.id, kind, client)
    refused = AccountEvent.kind.in_((EventKind.SIGN_IN_FAILED, EventKind.PASSWORD_REFUSED))
    commit(update(AccountEvent).where(refused).values(times=1057))


def seed_keys(user: User) -> Ids:
    """Make access tokens and passkeys with names that are hard to show."""
    for name in HARD:
        access_tokens.make_token(user.id, name[:50], list(current_app.extensions["scopes"]), 365, Client(None, ""))
        add_passkey(user, name[:50])
    return {"passkey": service.overview(user.id).passkeys[0].id}


def seed_notes(user_id: int) -> Ids:
    """Make more than a page holds: easy and hard ones, some pinned, some in the trash, and one that was changed."""
    texts = [*KOREAN, *ENGLISH] * 6
    ids = [
        notes.create_note(user_id, text.partition("\n")[0][:50] if number % 4 else "", text)
        for number, text in enumerate(texts)
    ]
    hard = [notes.create_note(user_id, text[:50], text) for text in HARD]
    texts_of_hard_note = [(LONG_WORD[:50], "\n".join(HARD)[:2000]), ("달", f"{HARD[0]}\n{KOREAN[0]}")]
    everything = notes.create_note(user_id, *texts_of_hard_note[0])
    for version in (1, 2):
        notes.update_note(user_id, everything, *texts_of_hard_note[version % 2], version)
    for note_id in (ids[0], hard[0]):
        notes.pin_note(user_id, note_id, pinned=True)
    for title, text in (("to throw away", ENGLISH[0]), (LONG_KOREAN[:50], SCRIPT)):
        notes.delete_note(user_id, notes.create_note(user_id, title, text))
    for text in (HARD[0], "여름에 쓴 메모. #반\n반만 남겼다."):
        archived = notes.create_note(user_id, "", text)
        archive_note(user_id, archived, archived=True)
    notes.update_note(user_id, ids[-1], "두 창에서 고친 메모", KOREAN[1], version=1)
    markdown = notes.create_note(user_id, "Markdown", MARKDOWN)
    deleted = notes.create_note(user_id, "", ENGLISH[0])
    links = [share_note(user_id, note_id) for note_id in (deleted, ids[0], everything, markdown)]
    notes.delete_note(user_id, deleted)
    return {
        "note": ids[-1],
        "hard_note": everything,
        "markdown": markdown,
        "archived": archived,
        "deleted": deleted,
        "hard_link": links[-2],
        "link": links[-1],
        "before": str(listing.list_notes(user_id).older),
    }


def seed_todos(user_id: int) -> Ids:
    """Make open and done ones of every kind, the easy ones on top."""
    for number, text in enumerate((*HARD, KOREAN[1][:60], ENGLISH[1][:60], "책 반납", "milk")):
        done = todos.create_todo(user_id, text[:500])
        todos.change_todo(user_id, done, completed=True)
        due_on = date.today() + timedelta(number - 4) if number % 2 else None
        last = todos.create_todo(user_id, f"{number + 1}. {text}"[:500], due_on)
    return {"todo": last}
