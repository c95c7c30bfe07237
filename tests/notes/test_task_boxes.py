"""Task boxes: a task is ticked off where it is read, and only that task of that note."""

import re

import pytest

from app.accounts.models import User
from app.notes import service
from app.notes.texts import TaskNotFound, Tick, tick_of, ticked
from tests.visitor import Visitor

TEXT = "우유 목록\n- [ ] 우유\n- [x] 빵\n  * [ ] 호밀\n> 1. [X] 잼\n\n```\n- [ ] 코드\n```\n- [ ] 우유"
VALUE = re.compile(r'name="task" value="([^"]+)" aria-pressed="(\w+)"')


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "장보기", TEXT)


def boxes(visitor: Visitor, note_id: int) -> list[tuple[str, str]]:
    return VALUE.findall(visitor.get(f"/notes/{note_id}").text)


def text_of(user: User, note_id: int) -> str:
    return str(service.get_note(user.id, note_id).content)


def test_a_task_line_is_ticked_off_or_opened() -> None:
    for line, done in [
        ("- [ ] milk", True),
        ("* [x] milk", False),
        ("  + [X] milk", False),
        ("12. [ ] milk", True),
        ("> - [ ] a", True),
    ]:
        tick = tick_of([line], 0)
        assert tick, (line, done)
        assert tick.is_done == done, (line, done)
        changed = ticked(line, tick)
        assert changed == line.replace("[ ]", "[x]") if done else line.replace("[x]", "[ ]").replace("[X]", "[ ]"), (
            line,
            done,
        )
        assert ticked(changed, tick) == changed, "sent twice it is the same"


def test_any_other_line_is_no_task() -> None:
    for line in ["milk", "- milk", "[ ] milk", "- [] milk", "-[ ] milk", "- [y] milk", "- [ ]", "-- [ ] a"]:
        assert tick_of([line], 0) is None, line


def test_a_line_that_is_another_one_by_now_is_left_alone() -> None:
    for tick in [Tick(0, 0, True), Tick(1, 0, True), Tick(9999, 0, True), Tick(2, 1, False)]:
        with pytest.raises(TaskNotFound):
            ticked(TEXT, tick)


def test_each_box_of_the_page_changes_its_line_and_nothing_else(signed_in: Visitor, alice: User, note_id: int) -> None:
    shown = boxes(signed_in, note_id)  # used one after the other: the page is not loaded again between them
    assert [checked for _, checked in shown] == ["false", "true", "false", "true", "false"]
    changes = [
        ("- [ ] 우유\n-", "- [x] 우유\n-"),
        ("- [x] 빵", "- [ ] 빵"),
        ("* [ ] 호밀", "* [x] 호밀"),
        ("[X] 잼", "[ ] 잼"),
        ("```\n- [ ] 우유", "```\n- [x] 우유"),
    ]
    for (value, _), (before, after) in zip(shown, changes, strict=True):
        text = text_of(alice, note_id)
        assert signed_in.submit(f"/notes/{note_id}/task", task=value).location == f"/notes/{note_id}"
        assert text_of(alice, note_id) == text.replace(before, after)


def test_a_task_that_was_moved_meanwhile_stays_as_it_is_and_the_note_is_shown_as_it_is_now(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    [(value, _), *_] = boxes(signed_in, note_id)
    service.update_note(alice.id, note_id, "장보기", f"above\n{TEXT}", 1)
    assert signed_in.submit(f"/notes/{note_id}/task", task=value).location == f"/notes/{note_id}"
    assert "This note was changed in the meantime." in signed_in.get(f"/notes/{note_id}").text
    data = {"task": value, "csrf_token": signed_in.csrf_token()}
    answer = signed_in.post(f"/notes/{note_id}/task", data=data, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert text_of(alice, note_id) == f"above\n{TEXT}"


def test_what_no_box_sends_is_422(signed_in: Visitor, alice: User, note_id: int) -> None:
    for value in ["", "1", "x", "1-0-1", "1-00000000-2", "-1-00000000-1", "99999-00000000-1", "1-0000000G-1"]:
        assert signed_in.submit(f"/notes/{note_id}/task", task=value).status_code == 422, value
        assert text_of(alice, note_id) == TEXT, value


def test_one_in_the_trash_is_404_and_unchanged(signed_in: Visitor, alice: User, note_id: int) -> None:
    [(value, _), *_] = boxes(signed_in, note_id)
    service.delete_note(alice.id, note_id)
    assert signed_in.submit(f"/notes/{note_id}/task", task=value).status_code == 404
    assert boxes(signed_in, note_id) == []
    service.restore_note(alice.id, note_id)
    assert text_of(alice, note_id) == TEXT


def test_an_open_editor_is_told_of_a_tick(signed_in: Visitor, note_id: int) -> None:
    [(value, _), *_] = boxes(signed_in, note_id)
    signed_in.submit(f"/notes/{note_id}/task", task=value)
    assert signed_in.submit(f"/notes/{note_id}", title="장보기", content="mine", version="1").status_code == 409
