"""The accounts of the pages and their data, in Korean and English, with texts that break careless layouts."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, insert, update

from app.accounts import access_tokens, bounces, events, tokens
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
from app.wordcounts.models import DONE, FAILED, QUEUED, Result
from app.wordcounts.service import MAX_UNFINISHED
from tests.browser.pages import EMPTY, FULL, KEYS, PASSWORD, REFUSED
from tests.passkeys.conftest import add_passkey
from tests.photos.photo_files import oriented_photo
from tests.wordcounts.results import COUNTED

Ids = dict[str, object]

# As long as allowed, with no place to break the line.
NICKNAME = "달빛아래" * 10 + "MoonlightReader" * 2
EMAIL = f"{'quite-a-long-address-' * 2}x@{'a-domain-of-some-length' * 2}.example.com"

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LONG_KOREAN = "띄어쓰기없이적은아주긴글" * 12
RIGHT_TO_LEFT = "مرحبا بالعالم — שלום עולם 123 (abc)"
SCRIPT = "<script>alert('반달')</script> & \"quotes\" <b>not bold</b>"
EMOJI = "👩🏽‍💻🇰🇷 🌗👨‍👩‍👧‍👦 e\u0301 ﷽"
LONG_ADDRESS = "https://example.com/" + "a-path-that-never-ends-" * 20 + "?q=" + "%EB%B0%98%EB%8B%AC" * 30

HARD = (LONG_WORD, LONG_KOREAN, RIGHT_TO_LEFT, SCRIPT, EMOJI, LONG_ADDRESS, "-- \t'); DROP TABLE notes; --")
KOREAN = (
    "반만 적어 두세요. 나머지 반은 떠오릅니다. #달 #책\n\n- 우유\n- 책 반납\n- 저녁 산책",
    "회의 정리: 다음 주 화요일까지 초안을 나누고, 금요일에 다시 모인다. 장소는 3층 회의실.",
    "오늘은 달이 반만 떴다. 구름이 지나가자 강 위에 나머지 반이 비쳤다.",
)
ENGLISH = (
    "Write down half of it. The other half will rise.\n\n1. milk\n2. return the books\n3. an evening walk",
    "Minutes: the draft goes round by Tuesday and we meet again on Friday, third floor.",
    "Half a moon tonight, and when the clouds had passed the river showed the rest.",
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
    bounces.note_refusal(accounts.sign_up(address(REFUSED), "refused", PASSWORD).id, address(REFUSED))
    photos.put_photo(full.id, oriented_photo(1))
    seed_events(full)
    seed_access_tokens(full)
    add_passkey(accounts.sign_up(address(KEYS), "열쇠", PASSWORD))
    return {
        **seed_tokens(full),
        **seed_passkeys(full),
        **seed_notes(full.id),
        **seed_todos(full.id),
        **seed_results(full),
    }


def address(who: str) -> str:
    return EMAIL if who == FULL else f"{who}@example.com"


def seed_tokens(user: User) -> Ids:
    """Make a link of each kind, which lives longer than the tests take."""
    purposes = (tokens.RESET_PASSWORD, tokens.CONFIRM_EMAIL, tokens.CHANGE_EMAIL)
    drawn = [tokens.draw(tokens.reserve(user.id, purpose, user.email))[0] for purpose in purposes]
    drawn += [
        tokens.draw_sign_up(tokens.reserve_sign_up(email))[0] for email in (f"new-{user.email}"[-120:], user.email)
    ]
    for links in (AccountToken, SignUpLink):
        db.session.execute(update(links).values(expires_at=func.now() + timedelta(days=1)))
    db.session.commit()
    names = ("reset_token", "confirm_token", "change_token", "sign_up_token", "used_token")
    return dict(zip(names, drawn, strict=True))


def seed_events(user: User) -> None:
    """Make events of every kind, from known and unknown browsers, and more than a page holds."""
    chrome = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
    )
    addresses = ("203.0.113.7", "2001:db8:1234:5678:9abc:def0:1234:5678", None)
    for ip in addresses:
        for kind in EventKind:
            events.record(user.id, kind, Client(ip, chrome if ip else ""))
    refused = AccountEvent.kind.in_((EventKind.SIGN_IN_FAILED, EventKind.PASSWORD_REFUSED))
    db.session.execute(update(AccountEvent).where(refused).values(times=1057))
    db.session.commit()


def seed_access_tokens(user: User) -> None:
    """Make some with names that are hard to show."""
    for name in (*HARD, "backup 백업"):
        access_tokens.make_token(user.id, name[:50], access_tokens.SCOPES, 365, Client(None, ""))


def seed_passkeys(user: User) -> Ids:
    """Make some with names that are hard to show."""
    for name in (*HARD, "Chrome on macOS", "새 전화기"):
        add_passkey(user, name[:50])
    return {"passkey": service.overview(user.id).passkeys[0].id}


def seed_notes(user_id: int) -> Ids:
    """Make more than a page holds: easy and hard ones, some pinned, some in the trash, and one that was changed."""
    texts = [*KOREAN, *ENGLISH] * 4
    titles = [text.partition("\n")[0][:50] if number % 4 else "" for number, text in enumerate(texts)]
    ids = [notes.create_note(user_id, title, text) for title, text in zip(titles, texts, strict=True)]
    hard = [notes.create_note(user_id, text[:50], text) for text in HARD]
    everything = notes.create_note(user_id, LONG_WORD[:50], "\n".join(HARD)[:2000])
    for note_id in (ids[0], hard[0]):
        notes.pin_note(user_id, note_id, pinned=True)
    for title, text in (
        *zip(("버릴 것", "to throw away"), (KOREAN[0], ENGLISH[0]), strict=True),
        (LONG_KOREAN[:50], SCRIPT),
    ):
        deleted = notes.create_note(user_id, title, text)
        notes.delete_note(user_id, deleted)
    for text in (KOREAN[1], HARD[0], "여름에 쓴 메모. #반\n반만 남겼다."):
        archived = notes.create_note(user_id, "", text)
        archive_note(user_id, archived, archived=True)
    notes.update_note(user_id, ids[-1], "두 창에서 고친 메모", KOREAN[1], version=1)
    markdown = notes.create_note(user_id, "Markdown", MARKDOWN)
    in_trash = notes.create_note(user_id, "", ENGLISH[0])
    links = [share_note(user_id, note_id) for note_id in (in_trash, ids[0], everything, markdown)]
    notes.delete_note(user_id, in_trash)
    return {
        "note": ids[-1],
        "hard_note": everything,
        "markdown": markdown,
        "archived": archived,
        "deleted": deleted,
        "shared_note": ids[0],
        "hard_link": links[-2],
        "link": links[-1],
        "before": str(listing.list_notes(user_id).older),
        "day": notes.get_note(user_id, markdown).created_at.date(),
    }


def seed_todos(user_id: int) -> Ids:
    """Make open and done ones of every kind, the easy ones on top."""
    for number, text in enumerate(
        (*HARD, *(f"{language[1]}"[:60] for language in (KOREAN, ENGLISH)), "책 반납", "milk")
    ):
        done = todos.create_todo(user_id, text[:200])
        todos.change_todo(user_id, done, completed=True)
        due_on = date.today() + timedelta(number - 4) if number % 2 else None
        last = todos.create_todo(user_id, f"{number + 1}. {text}"[:200], due_on)
    return {"todo": last}


def seed_results(user: User) -> Ids:
    """Make results of every state, as the worker leaves them; asked of no worker, which would set out to count them."""
    many = {f"{word}{number or ''}": 400 - number for number in range(55) for word in ("반달", "moon")}
    forms = {"달": 450, "달은": 90, "달에서는": 60, f"{LONG_KOREAN}은": 50}
    words = {LONG_WORD: 900, LONG_KOREAN: 800, RIGHT_TO_LEFT: 700, "<b>": 600, EMOJI: 500, **forms, **many}
    long = {"result_all": {"the": 1000, **words}, "result_no_stop_words": words, "total_words": 1_234_567}
    ids = [insert_result(user, DONE, title=title) for title in ("반달", "Half moon", LONG_KOREAN[:200])]
    waiting = [insert_result(user, QUEUED, url=LONG_ADDRESS) for _ in range(MAX_UNFINISHED)]
    return {
        "failed": insert_result(user, FAILED, error="timeout", url=LONG_ADDRESS),
        "shared": ids[0],
        "waiting": waiting[0],
        "done": insert_result(user, DONE, **long, url=LONG_ADDRESS, final_url=LONG_ADDRESS, title=LONG_WORD[:200]),
    }


def insert_result(user: User, status: str, **values: Any) -> object:
    if status == DONE:
        values = {**COUNTED, "shared": True, **values}
    if status in (DONE, FAILED):
        values["finished_at"] = func.now()
    row = {"user_id": user.id, "url": "https://example.com/moon", "status": status, **values}
    public_id: object = db.session.scalar(insert(Result).values(**row).returning(Result.public_id))
    db.session.commit()
    return public_id
