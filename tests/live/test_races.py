"""Race conditions: the database lets one concurrent request win. The others get a clear error, never a 500."""

import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.live.browser import Browser
from tests.live.conftest import PASSWORD, Service, fetch
from tests.photos.photo_files import oriented_photo

CLIENTS = 5


def statuses_at_once(browsers: list[Browser], act: Callable[[Browser], int]) -> Counter[int]:
    barrier = Barrier(len(browsers))

    def wait_and_act(browser: Browser) -> int:
        barrier.wait()
        return act(browser)

    with ThreadPoolExecutor(len(browsers)) as threads:
        return Counter(threads.map(wait_and_act, browsers))


def devices(live: Service, name: str) -> list[Browser]:
    """Sign up, and return browsers that are signed in."""
    browsers = [live.browser() for _ in range(CLIENTS)]
    assert browsers[0].sign_up(name, PASSWORD).status == 302
    for browser in browsers:
        browser.cookies = dict(browsers[0].cookies)
    return browsers


def test_concurrent_sign_ups_with_the_same_name_create_one_account(live: Service) -> None:
    browsers = [live.browser() for _ in range(CLIENTS)]
    found = statuses_at_once(browsers, lambda browser: browser.sign_up("same", PASSWORD).status)
    assert found == {302: 1, 422: CLIENTS - 1}
    assert live.rows("SELECT count(*) FROM users WHERE nickname = 'same'") == [(1,)]


def test_concurrent_saves_of_one_note_succeed_once_and_conflict_otherwise(live: Service) -> None:
    browsers = devices(live, "windows")
    browsers[0].post("/notes", title="t", content="start")
    [(note_id,)] = live.rows("SELECT id FROM notes WHERE content = 'start'")

    def save(browser: Browser) -> int:
        return browser.post(f"/notes/{note_id}", title="t", content=secrets.token_hex(4), version="1").status

    found = statuses_at_once(browsers, save)
    assert found == {302: 1, 409: CLIENTS - 1}
    assert live.rows(f"SELECT version FROM notes WHERE id = {note_id}") == [(2,)]


def test_concurrent_completions_of_one_todo_all_succeed_and_one_delete_wins(live: Service) -> None:
    browsers = devices(live, "ticks")
    browsers[0].post("/todos", description="race")
    [(todo_id,)] = live.rows("SELECT id FROM todos WHERE description = 'race'")
    found = statuses_at_once(browsers, lambda browser: browser.post(f"/todos/{todo_id}", completed="1").status)
    assert found == {302: CLIENTS}
    found = statuses_at_once(browsers, lambda browser: browser.post(f"/todos/{todo_id}/delete").status)
    assert found == {302: 1, 404: CLIENTS - 1}


def test_concurrent_photo_uploads_leave_the_shown_photo_readable(live: Service) -> None:
    photo = ("me.jpg", oriented_photo(1), "image/jpeg")
    browsers = devices(live, "photos")
    found = statuses_at_once(browsers, lambda browser: browser.post("/mypage/photo", photo=photo).status)
    assert found[302] >= 2  # as many as have a place at once; 503 asks the others to try again
    assert found[302] + found[503] == CLIENTS
    [(url,)] = live.rows("SELECT image_url FROM users WHERE email = 'photos@example.com'")
    assert fetch(str(url)).status == 200
