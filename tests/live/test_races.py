"""Race conditions: the database lets one concurrent request win. The others get a clear error, never a 500."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.live.browser import Browser
from tests.live.conftest import Service

PASSWORD = "a long enough sentence"
CLIENTS = 5


def statuses_at_once(act: Callable[[int, Browser], int], browsers: list[Browser]) -> Counter[int]:
    barrier = Barrier(len(browsers))

    def wait_and_act(number: int) -> int:
        barrier.wait()
        return act(number, browsers[number])

    with ThreadPoolExecutor(len(browsers)) as threads:
        return Counter(threads.map(wait_and_act, range(len(browsers))))


@pytest.mark.parametrize("same", ["email", "nickname", "both"])
def test_concurrent_sign_ups_with_the_same_name_create_one_account(live: Service, same: str) -> None:
    def sign_up(number: int, browser: Browser) -> int:
        email = f"same-{same}" if same != "nickname" else f"same-{same}-{number}"
        nickname = f"same-{same}" if same != "email" else f"same-{same}-{number}"
        return browser.post("/sign-up", email=f"{email}@example.com", nickname=nickname, password=PASSWORD).status

    assert statuses_at_once(sign_up, [live.browser() for _ in range(CLIENTS)]) == {302: 1, 422: CLIENTS - 1}
    assert live.rows(f"SELECT count(*) FROM users WHERE nickname LIKE 'same-{same}%'") == [(1,)]


def test_concurrent_changes_to_the_same_nickname_succeed_once(live: Service) -> None:
    browsers = [live.browser() for _ in range(CLIENTS)]
    for number, browser in enumerate(browsers):
        assert browser.sign_up(f"racer{number}", PASSWORD).status == 302
    found = statuses_at_once(lambda _, browser: browser.post("/mypage/nickname", nickname="winner").status, browsers)
    assert found == {302: 1, 422: CLIENTS - 1}


def test_concurrent_saves_of_one_note_succeed_once_and_conflict_otherwise(live: Service) -> None:
    first = live.browser()
    first.sign_up("windows", PASSWORD)
    first.post("/notes", title="t", content="start")
    [(note_id,)] = live.rows("SELECT id FROM notes WHERE content = 'start'")
    browsers = [live.browser() for _ in range(CLIENTS)]
    for browser in browsers:
        browser.cookies = dict(first.cookies)

    def save(number: int, browser: Browser) -> int:
        return browser.post(f"/notes/{note_id}", title="t", content=f"window {number}", version="1").status

    assert statuses_at_once(save, browsers) == {302: 1, 409: CLIENTS - 1}
    assert live.rows(f"SELECT version FROM notes WHERE id = {note_id}") == [(2,)]


def test_concurrent_completions_of_one_todo_all_succeed_and_one_delete_wins(live: Service) -> None:
    first = live.browser()
    first.sign_up("ticks", PASSWORD)
    first.post("/todos", description="race")
    [(todo_id,)] = live.rows("SELECT id FROM todos WHERE description = 'race'")
    browsers = [live.browser() for _ in range(CLIENTS)]
    for browser in browsers:
        browser.cookies = dict(first.cookies)
    found = statuses_at_once(lambda _, browser: browser.post(f"/todos/{todo_id}", completed="1").status, browsers)
    assert found == {302: CLIENTS}
    found = statuses_at_once(lambda _, browser: browser.post(f"/todos/{todo_id}/delete").status, browsers)
    assert found == {302: 1, 404: CLIENTS - 1}


def test_concurrent_photo_uploads_leave_the_shown_photo_readable(live: Service) -> None:
    from tests.live.test_journey import fetch
    from tests.photos.photo_files import oriented_photo

    first = live.browser()
    first.sign_up("photos", PASSWORD)
    browsers = [live.browser() for _ in range(CLIENTS)]
    for browser in browsers:
        browser.cookies = dict(first.cookies)
    photo = ("me.jpg", oriented_photo(1), "image/jpeg")
    found = statuses_at_once(lambda _, browser: browser.post("/mypage/photo", photo=photo).status, browsers)
    assert found[302] >= 2  # as many as have a place at once; 503 asks the others to try again
    assert found[302] + found[503] == CLIENTS
    [(url,)] = live.rows("SELECT image_url FROM users WHERE email = 'photos@example.com'")
    assert fetch(str(url)).status == 200
