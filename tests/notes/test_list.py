"""The list: pinned notes first, then the newest, each with its buttons, and the figures beside it."""

import gzip

from app.accounts.models import User
from app.notes import listing, service
from tests.notes.lists import titles_of_all_pages
from tests.visitor import Visitor


def test_pinning_by_the_button(signed_in: Visitor, alice: User) -> None:
    old, _new = (service.create_note(alice.id, title, "") for title in ("old", "new"))
    for fields in ({}, {"pinned": "2"}):
        assert signed_in.submit(f"/notes/{old}/pin", **fields).status_code == 422
    assert titles_of_all_pages(alice.id) == ["new", "old"]
    assert signed_in.submit(f"/notes/{old}/pin", pinned="1").location == f"/notes#note-{old}"
    assert titles_of_all_pages(alice.id) == ["old", "new"]
    signed_in.submit(f"/notes/{old}/pin", pinned="0")
    assert titles_of_all_pages(alice.id) == ["new", "old"]


def test_an_untitled_note_is_named_by_its_first_line(signed_in: Visitor, alice: User) -> None:
    service.create_note(alice.id, "", "# the first line\n\nthe second")
    page = signed_in.get("/notes").text
    assert "<bdi>the first line</bdi>" in page
    assert page.count("the first line") == 1
    assert ">the second</p>" in page


def test_every_button_says_which_note_it_is_about_and_whether_it_is_pinned(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, 'a "b" <c>', "")
    service.pin_note(alice.id, note_id, pinned=True)
    page = signed_in.get("/notes").text
    assert f'<h3 id="note-{note_id}">' in page
    assert "<bdi>a &#34;b&#34; &lt;c&gt;</bdi>" in page
    for name, action in {"p": "Pin", "e": "Edit", "a": "Move to archive", "t": "Move to trash"}.items():
        assert f'aria-labelledby="{name} note-{note_id}"' in page
        assert f'<span id="{name}">{action}:</span>' in page
    assert '<button aria-pressed="true"' in page
    assert f'formaction="/notes/{note_id}/pin?pinned=0"' in page
    service.pin_note(alice.id, note_id, pinned=False)
    page = signed_in.get("/notes").text
    assert '<button aria-pressed="false"' in page
    assert f'formaction="/notes/{note_id}/pin?pinned=1"' in page


def test_a_button_returns_to_the_list_and_is_no_open_redirect(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "title", "")
    here = "/notes?q=%EB%B0%98&tag=a&before=0-9"
    for back, location in {here: here, "//evil.example": "/notes"}.items():
        for action, anchor in {"pin": f"#note-{note_id}", "delete": "", "restore": ""}.items():
            answer = signed_in.submit(f"/notes/{note_id}/{action}", pinned="1", next=back)
            assert answer.location == location + anchor


def test_the_figures_count_the_users_own_notes_that_are_not_deleted(signed_in: Visitor, alice: User) -> None:
    for number in range(14):
        service.create_note(alice.id, "", " ".join(f"#tag{other}x" for other in range(number + 1)))
    service.delete_note(alice.id, service.create_note(alice.id, "", "#gone"))
    page = listing.list_notes(alice.id)
    assert (page.total, page.in_trash, page.found, page.shown) == (14, 1, 14, 14)
    assert page.tags == [(f"tag{number}x", 14 - number) for number in range(13)]
    html = signed_in.get("/notes").text
    assert 'href="/notes/tags">All tags</a>' in html
    assert "#tag12x" not in html.partition('id="tags"')[2]
    assert "#tag13x" in signed_in.get("/notes/tags").text
    assert "#gone" not in html


def test_an_empty_list_offers_to_create_a_note(signed_in: Visitor) -> None:
    page = signed_in.get("/notes").text
    assert "Write down your first note." in page
    assert 'href="#new-note"' in page
    assert "Add #tags" in signed_in.get("/notes/tags").text


def test_the_list_says_how_many_tasks_of_a_note_are_done(signed_in: Visitor, alice: User) -> None:
    service.create_note(alice.id, "장보기", "x" * 300 + "\n- [x] 우유\n> 1. [ ] 빵\n- [X] 잼\nno - [ ] task\n-[ ] none")
    service.create_note(alice.id, "none", "a [ ] b")
    page = signed_in.get("/notes").text
    assert page.count("☑") == 1
    assert 'aria-label="Tasks done: 2 of 3">☑ 2/3</span>' in page


def test_a_page_of_20_notes_is_at_most_10_kb(signed_in: Visitor, alice: User) -> None:
    words = "반달 메모 회의 시안 동네 책방 토요일 오전 멸치 육수 감자 애호박 산책길 남쪽 하늘".split()  # noqa: SIM905
    for number in range(25):
        chosen = [words[(number * 7 + place * place) % len(words)] + str(place) for place in range(60)]
        service.create_note(alice.id, " ".join(chosen[:8])[:50], " ".join(chosen) + f" #{chosen[0]} #{chosen[1]}")
    assert len(gzip.compress(signed_in.get("/notes").data, 6)) <= 10 * 1024


CURSORS = ["", "x", "2-1-1", "0-9", "0-1-0", f"0-{2**63}-1", "0-1-1-", f"0-1-1-{10**9}", "0-1-1-1-1", "1-0-1-0-0-0-0-0"]
LENGTHS = ["x", "0", "1", "201", "1000", "-20", "20x", "٤٠"]
DAYS = [
    *("", "0", "2026-02-29", "20261122", "2026-W47-7", "2026-11-22T00:00", " 2026-11-22", "٢٠٢٦-11-22"),
    *("1969-12-31", "9999-01-01", "-2026-11-22", "2026-11-22\0"),
]


def test_a_place_that_no_page_leads_to_is_400(signed_in: Visitor) -> None:
    lists: list[tuple[str, dict[str, str]]] = [
        *(("", {"before": before}) for before in CURSORS),
        *(("", {"shown": shown}) for shown in LENGTHS),
        *(("", {"day": day}) for day in DAYS),
        *(("", {"day": "2026-11-22", name: "moon"}) for name in ("q", "tag")),
        *(("/select", {name: "x"}) for name in ("before", "shown", "day")),
        *(("/archive", {"before": before}) for before in ("", "x", "1", "0-1-2", "-1-5", "1-0")),
        *(("/shared", {"before": before}) for before in ("", "x", "0", "-1", "1-2", f"{2**63}")),
    ]
    taken = [each for each in lists if signed_in.get(f"/notes{each[0]}", query_string=each[1]).status_code != 400]
    assert taken == []
