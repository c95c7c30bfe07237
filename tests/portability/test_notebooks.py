"""The notes of other notebooks are imported once, and what is not taken is told by name."""

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, Note
from app.portability import bundles, service, views
from app.portability.archive import Archive, ArchiveRejected, Reason
from app.portability.bundles import MAX_FILE, notes_of
from app.portability.forms import MISSING
from app.portability.notebooks import ForeignNote, Missing, hashtags, moment_of, read_note
from tests.database import same_row_counts
from tests.portability import notebooks as made
from tests.portability.exports import export, import_, packed
from tests.portability.hostile_archives import document
from tests.visitor import Visitor

SEOUL = ZoneInfo("Asia/Seoul")
MORNING = datetime(2024, 1, 15, 5, 30, tzinfo=UTC)  # 14:30 in Seoul
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)

Stored = tuple[str, str]


def stored(user: User) -> set[Stored]:
    rows = db.session.execute(select(Note.title, Note.content).where(Note.user_id == user.id))
    return {(row.title, row.content) for row in rows}


EXPORTS: dict[str, tuple[bytes, set[Stored]]] = {
    "Google Keep": (
        made.takeout(
            made.keep(),
            made.keep(
                title="",
                textContent="",
                listContent=[{"text": "빵\n", "isChecked": True}, {"text": "우유", "isChecked": False}],
                labels=[{"name": "집 안"}],
            ),
            made.keep(title="읽을 것", textContent="", annotations=[{"url": "https://e.kr/", "source": "WEBLINK"}]),
            '{"title": "날짜 없음", "textContent": "하나\\r\\n둘"}',
        ),
        {("날짜 없음", "하나\n둘"), ("장보기", "우유와 빵"), ("", "- [x] 빵\n- [ ] 우유\n\n#집-안"), ("읽을 것", "https://e.kr/")},
    ),
    "Joplin's JEX": (made.tagged_joplin(), {("회의", "둘째 줄\n\n셋째 줄\n\n#회사-일")}),
    "Joplin's raw folder, packed by tar on Windows": (
        made.jex(*((f"./{name}", "\ufeff" + text.replace("\n", "\r\n")) for name, text in made.TAGGED)),
        {("회의", "둘째 줄\n\n셋째 줄\n\n#회사-일")},
    ),
    "Joplin's raw folder as a ZIP": (
        packed(dict([made.joplin(1, made.NOTE_ID, "할 일", is_todo=1, todo_completed=1706745600000)])),
        {("할 일", "- [x] 할 일")},
    ),
    "Joplin's Markdown with front matter": (
        packed({"공책/회의.md": made.JOPLIN_MARKDOWN}),
        {("It's: 회의", "- [x] It's: 회의\n\n둘째 줄\n\n#회사-일 #work")},
    ),
    "Obsidian": (
        made.VAULT,
        {("기획", "[[다른 글]]을 보고 ![[그림.png]]\n\n#일-기획 #독서"), ("오늘", "- [ ] 산책 #건강")},
    ),
    "a folder of texts": (
        packed(
            {"메모.txt": "첫 줄".encode("cp949"), "b.md": "\ufeff# 둘째 #\r\n\r\n줄", "c.md": "글".encode("utf-16")}
        ),
        {("메모", "첫 줄"), ("둘째", "줄"), ("c", "글")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_the_same_export_twice_gives_the_same_notes_once(signed_in: Visitor, alice: User, name: str) -> None:
    data, notes = EXPORTS[name]
    for _ in range(2):
        assert import_(signed_in, data).status_code in (200, 302)
        assert stored(alice) == notes
    assert len(db.session.scalars(select(Note.id).where(Note.user_id == alice.id)).all()) == len(notes)


def test_a_file_without_a_date_is_known_again(signed_in: Visitor, alice: User) -> None:
    for _ in range(2):
        assert (
            signed_in.submit("/mypage/import", archive=(io.BytesIO("PK 승부차기".encode()), "글.md")).status_code == 302
        )
    assert db.session.scalars(select(Note.title).where(Note.user_id == alice.id)).all() == ["글"]


def test_what_was_changed_since_comes_in_beside_it(signed_in: Visitor, alice: User) -> None:
    for text in ("이전", "이후", "이전"):
        import_(signed_in, packed({"글.md": text}))
    assert stored(alice) == {("글", "이전"), ("글", "이후")}


def test_dates_pins_and_the_archive_come_along(signed_in: Visitor, alice: User) -> None:
    import_(signed_in, made.takeout(made.keep(isPinned=True, isArchived=True)))
    [note] = db.session.scalars(select(Note).where(Note.user_id == alice.id))
    assert (note.created_at, note.updated_at, note.archived_at, note.pinned) == (MORNING, FEBRUARY, FEBRUARY, True)


def test_our_own_markdown_comes_back_as_it_was(signed_in: Visitor, alice: User) -> None:
    """Not its place in the trash and the archive, for which there is semicircle.json."""
    for title, text in (("# 제목", "# 머리\n\n글 #꼬리표"), ("", "---\ntitle: x\n---"), ("a: 'b'", "c")):
        signed_in.submit("/notes", title=title, content=text)
    before = stored(alice)
    with zipfile.ZipFile(io.BytesIO(export(signed_in))) as zip_file:
        files: dict[str, bytes | str] = {name: zip_file.read(name) for name in zip_file.namelist() if "notes/" in name}
    answer = import_(signed_in, packed(files))
    assert answer.status_code == 302
    assert stored(alice) == before


def test_several_files_and_a_folder_are_taken(signed_in: Visitor, alice: User) -> None:
    files = [(io.BytesIO(f"글 {number}".encode()), f"{number}.md") for number in range(300)]
    folder = [(io.BytesIO("안".encode() * 30_000), "vault/긴 글.md"), (io.BytesIO(b"x"), "vault/깊이/안의 글.txt")]
    folder.append((io.BytesIO(packed({"c.md": "c"})), "vault/첨부.zip"))
    folder.append((io.BytesIO(b"y"), f"vault/{'x' * 70_000}/먼 글.md"))
    answer = signed_in.submit("/mypage/import", archive=files, folder=folder)
    assert answer.status_code == 200
    assert len(stored(alice)) == 302
    assert ("먼 글", "y") in stored(alice)
    assert ("안의 글", "x") in stored(alice)
    assert "vault/긴 글.md" in answer.text
    assert "vault/첨부.zip" in answer.text


def test_our_own_export_is_taken_as_an_unpacked_folder(signed_in: Visitor, alice: User) -> None:
    folder = [
        (io.BytesIO(document().encode()), "semicircle-2026/semicircle.json"),
        (io.BytesIO(b""), "semicircle-2026/a.md"),
    ]
    assert signed_in.submit("/mypage/import", folder=folder).status_code == 302
    assert stored(alice) == {("title", "content")}


READ: list[tuple[str, str, dict[str, Any]]] = [
    # The title
    ("이름.md", "글", {"title": "이름", "content": "글"}),
    ("이름.md", "\n# 머리\n글", {"title": "머리", "content": "글"}),
    ("이름.md", "# C#\n글", {"title": "C#", "content": "글"}),
    ("이름.md", "# 닫힌 머리 ##\n\n글", {"title": "닫힌 머리", "content": "글"}),
    ("이름.md", "## 작은 머리\n글", {"title": "이름", "content": "## 작은 머리\n글"}),
    ("이름.md", "#꼬리표\n글", {"title": "이름", "content": "#꼬리표\n글"}),
    ("이름.md", "이름\n\n글", {"title": "이름", "content": "글"}),
    ("이름.md", "\u110b\u1175\u1105\u1173\u11b7\n\n글", {"title": "이름", "content": "글"}),
    ("이름.md", "이름\n===\n글", {"title": "이름", "content": "이름\n===\n글"}),
    ("2024.01.15 회의.md", "", {"title": "2024.01.15 회의", "content": ""}),
    ("a.md", "---\ntitle: 제목\n---\n# 머리", {"title": "제목", "content": "# 머리"}),
    ("a.md", '---\ntitle: ""\n---\n글', {"title": "", "content": "글"}),
    ("a.md", '---\ntitle: "a \\"b\\": c"\n---\n', {"title": 'a "b": c'}),
    ("a.md", "---\ntitle: [초안] 회의\n---\n", {"title": "[초안] 회의"}),
    ("a.md", "---\ntitle: [ ] 할 일\n---\n", {"title": "[ ] 할 일"}),
    ("a.md", '---\ntitle: "달"의 뒷면 # 1\n---\n', {"title": '"달"의 뒷면 # 1'}),
    ("a.md", "---\ntitle: '90년대 음악\n---\n", {"title": "'90년대 음악"}),
    ("a.md", "---\ntitle: 'it''s' # 메모\n---\n", {"title": "it's"}),
    ("a.md", '---\n"title": "달" # 메모\n---\n', {"title": "달"}),
    ("a.md", "---\nTitle: >-\n  긴 제목이\n  이어진다\n---\n", {"title": "긴 제목이 이어진다"}),
    # Not front matter, so no text is lost
    ("a.md", "---\n오늘: 맑음\n---\n글", {"content": "---\n오늘: 맑음\n---\n글"}),
    ("a.md", "---\ntitle: x\n그냥 글\n---\n글", {"content": "---\ntitle: x\n그냥 글\n---\n글"}),
    ("a.md", "---\ntitle: x\n글", {"content": "---\ntitle: x\n글"}),
    ("a.md", "글\n---\ntitle: x\n---", {"content": "글\n---\ntitle: x\n---"}),
    ("a.md", "글\n\nid: 1\ntype_: 2", {"content": "글\n\nid: 1\ntype_: 2"}),  # as an item of Joplin's ends
    ("a.md", "\ufeff\ufeff---\r\ntitle: 제목\r\n---\r\n\r\n글\r\n", {"title": "제목", "content": "글"}),
    ("a.md", "---\nupdate: x\n---\n글", {"content": "---\nupdate: x\n---\n글"}),
    # Tags
    ("a.md", "---\ntags: a, b c\n---\n", {"tags": ["a", "b c"]}),
    ("a.md", "---\ntags: a b\n---\n", {"tags": ["a", "b"]}),
    ("a.md", "---\ntags: [하나, \"둘, 셋\", 'it''s']\n---\n", {"tags": ["하나", "둘, 셋", "it's"]}),
    ("a.md", "---\ntags:\n- 하나\n- '#둘'\n---\n", {"tags": ["하나", "#둘"]}),
    ("a.md", "---\ntags:\n---\n글", {"tags": [], "content": "글"}),
    ("a.md", "---\ntags: &a [*a, *a]\n---\n글", {"content": "글"}),
    ("a.md", "---\ntags: [\n  하나,\n  '둘, 셋'\n]\n---\n글", {"tags": ["하나", "둘, 셋"], "content": "글"}),
    ("a.md", "---\ntags:\n  # 분류\n  - 하나 # 첫째\n  - 둘\n---\n글", {"tags": ["하나", "둘"], "content": "글"}),
    ("a.md", "---\ntags: 하나、둘\nlabels: a; b c\n---\n", {"tags": ["하나", "둘", "a", "b c"]}),
    ("a.md", "---\nkeywords: [x]\npinned: true\n---\n", {"tags": ["x"], "pinned": True}),
    # Dates
    ("a.md", "---\ncreated: 2024-01-15 05:30Z\n---\n", {"created": MORNING}),
    ("a.md", "---\ncreated_at: 2024-01-15T14:30:00+09:00\n---\n", {"created": MORNING}),
    ("a.md", "---\nDate: 2024/1/15 14:30:00\nlastmod: 2024-02-01 00:00:00 +0000\n---\n",
     {"created": MORNING, "updated": FEBRUARY}),
    ("a.md", "---\n\"created_time\": 2024-01-15 05:30Z\nlast-updated: 2024-02-01T00:00Z\n---\n글",
     {"created": MORNING, "updated": FEBRUARY, "content": "글"}),
    ("a.md", "---\nctime: 1705296600000\nupdated at: 1706745600\n---\n", {"created": MORNING, "updated": FEBRUARY}),
    ("a.md", "---\ncreated: 1970-01-01 00:00Z\ndate: 2024-01-15T14:30\n---\n", {"created": MORNING}),
    ("a.md", "---\ntitle: x\nsource: https://e.kr/a,b\n---\n글", {"content": "글\n\nhttps://e.kr/a,b"}),
    ("a.md", "---\nsource: https://e.kr/\n---\n[글](https://e.kr/)", {"content": "[글](https://e.kr/)"}),
    ("a.md", "---\nsource: javascript:alert(1)\n---\n글", {"content": "글"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), READ)
def test_markdown_is_read(name: str, text: str, expected: Mapping[str, Any]) -> None:
    note = read_note(name, text.encode(), {}, SEOUL)
    assert note is not None
    assert {key: getattr(note, key) for key in expected} == expected


DATES = {
    datetime(2024, 1, 14, 15, tzinfo=UTC): [
        "2024-01-15", "2024. 1. 15.", "2024年1月15日", "2024-01-15(월)", "[[2024-01-15]]", "2024년 1월 15일 월요일",
        "15 Jan 2024", "Jan 15, 2024", "Monday, January 15, 2024", "20240115",
    ],
    MORNING: [
        "2024년 1월 15일 14:30", "2024. 1. 15. 오후 2:30:00", "2024-01-15 02:30 pm", "2024-01-15 14:30 # 회의 뒤",
        "2024년 1월 15일 월요일 오후 2시 30분", "2024년 1월 15일 14시 30분 11초", "2024年1月15日（月）午後2時30分",
        "2024年1月15日 月曜日 午後2時30分", "Monday, January 15, 2024 at 2:30 PM", "Mon, 15 Jan 2024 05:30:00 GMT",
        "Mon Jan 15 2024 14:30:00 GMT+0900 (한국 표준시)", "2024-01-15 (Mon), 14:30", "2024-01-15 05:30:00 UTC",
        "202401151430", "1705296600",
    ],
    datetime(2024, 1, 14, 15, 30, tzinfo=UTC): ["2024. 1. 15. (월) 오전 12:30"],
    datetime(2024, 1, 15, 0, 5, tzinfo=UTC): ["2024-1-15 9:05"],
    None: [
        "2024-01-15 오후", "2024-01-15 오후 x:30", "Foo 15, 2024", "Jan 2024", "월요일", "1970-01-01T00:00:00Z", "0",
        "1980-01-01 00:00:00", "9999-12-31T23:59:59-14:00", "2024-02-30", "내일", "", "2126-01-15", "," * 200_000,
    ],
}  # fmt: skip


def test_a_date_is_one_of_the_past() -> None:
    found = {
        moment: [written for written in each if moment_of(written, SEOUL) == moment] for moment, each in DATES.items()
    }
    assert found == DATES


def test_a_tag_is_written_as_a_text_can_hold_it() -> None:
    tags = ["일", "#일", "회사 일", "일/기획", "a.b", "책📚", "日記、メモ", " ", "!"]
    assert hashtags(tags) == ["#일", "#회사-일", "#일-기획", "#a-b", "#책📚", "#日記-メモ"]


NOT_TAKEN: list[tuple[Missing, str, str | bytes]] = [
    (Missing.TOO_LONG, "긴 글.md", "한" * (CONTENT_LENGTH + 1)),
    (Missing.TOO_LONG, "꼬리표가 들어갈 곳이 없는 글.md", "---\ntags: [a]\n---\n" + "한" * CONTENT_LENGTH),
    (Missing.TOO_LONG, "큰 파일.md", "x" * (MAX_FILE + 1)),
    (Missing.EMPTY, "빈 글.md", "---\ntitle:\n---\n \n"),
    (Missing.EMPTY, "보이지 않는 글.md", "---\ntitle: \u3164\n---\n\u200b\n"),
    (Missing.EMPTY, "빈 Keep.json", made.keep(title=" ", textContent="")),
    (Missing.UNREADABLE, "둘.md", b"caf\xe9 au lait"),
    (Missing.UNREADABLE, "NUL.md", "a\0b"),
    (Missing.UNREADABLE, "세로 탭.txt", "a\vb"),
    (Missing.UNREADABLE, "UTF-32.md", "글".encode("utf-32")),
    (Missing.UNREADABLE, "짝 없는 UTF-16.md", b"\xff\xfea"),
    (Missing.UNREADABLE, "끊긴.json", made.keep()[:-1]),
    (Missing.UNREADABLE, "깊은.json", "[" * 100_000),
    (Missing.UNREADABLE, "날짜도 없는 숫자.json", '{"textContent": 1}'),
    (Missing.UNREADABLE, "제목이 숫자.json", made.keep(title=1)),
    (Missing.UNREADABLE, "목록이 글.json", made.keep(listContent="x")),
    (Missing.UNREADABLE, "반쪽 글자.json", made.keep(textContent="HERE").replace("HERE", "\\ud83c")),
    (Missing.IN_TRASH, "버린 글.json", made.keep(isTrashed=True)),
    (Missing.IN_TRASH, *made.joplin(1, made.NOTE_ID, "a\n\nb", deleted_time=1706745600000)),
    (Missing.LOCKED, *made.joplin(1, made.NOTE_ID, "a\n\nb", encryption_applied=1)),
    (Missing.OTHER, "설정.json", '{"a": 1}'),
    (Missing.OTHER, "그림.png", b"\x89PNG"),
    (Missing.OTHER, "또 다른.zip", packed({"a.md": "a"})),
    (Missing.OTHER, "code.py", "print()"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "name", "content"), NOT_TAKEN)
def test_what_is_not_taken_is_named_with_its_reason(
    signed_in: Visitor, alice: User, reason: Missing, name: str, content: bytes | str
) -> None:
    answer = import_(signed_in, packed({"좋은 글.md": "글", name: content}))
    assert answer.status_code == 200
    assert f"(1): {MISSING[reason]}" in answer.text
    assert f"<bdi>{name}</bdi>" in answer.text
    assert stored(alice) == {("좋은 글", "글")}


def test_an_export_of_which_no_note_can_be_taken_is_422(signed_in: Visitor) -> None:
    with same_row_counts():
        answer = import_(signed_in, packed({"<b>.md": "한" * (CONTENT_LENGTH + 1)}))
        assert answer.status_code == 422
        assert "Nothing was imported." in answer.text
        assert "<bdi>&lt;b&gt;.md</bdi>" in answer.text


def test_the_report_names_a_hundred_files_and_counts_the_others(signed_in: Visitor) -> None:
    answer = import_(signed_in, packed({"a.md": "a", **{f"{number}.png": "" for number in range(1_234)}}))
    assert answer.text.count(".png</bdi>") == views.NAMED
    assert "and 1,134 more" in answer.text


def test_the_report_names_notes_before_pictures(signed_in: Visitor) -> None:
    answer = import_(signed_in, packed({"a.png": "", "b.md": "한" * (CONTENT_LENGTH + 1), "c.md": "c"}))
    assert answer.text.index("<bdi>b.md") < answer.text.index("<bdi>a.png")


def test_a_title_that_is_too_long_becomes_the_heading_of_the_text(signed_in: Visitor, alice: User) -> None:
    title = "긴 제목 " * TITLE_LENGTH
    import_(signed_in, made.takeout(made.keep(title=title)))
    assert stored(alice) == {("", f"# {title.strip()}\n\n우유와 빵")}


def unflagged(name: bytes) -> bytes:
    """Return a ZIP with a name in an encoding of before UTF-8, which has no flag."""
    return packed({"x" * len(name): "글"}).replace(b"x" * len(name), name)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (unflagged("회의록.md".encode("cp949")), "회의록"),  # Windows
        (unflagged("회의록.md".encode()), "회의록"),  # macOS, before it set the flag
        (unflagged("폴더\\회의록.md".encode("cp949")), "회의록"),
        (packed({"\u1112\u116c\u110b\u1174.md": "글"}), "회의"),  # macOS decomposes Hangul
        (packed({"왜? 그리고: 어떻게.md": "글"}), "왜? 그리고: 어떻게"),
        (packed({"a: b.md": "글"}), "a: b"),
    ],
)
def test_a_name_is_read_in_the_encoding_of_its_system(signed_in: Visitor, alice: User, data: bytes, title: str) -> None:
    assert import_(signed_in, data).status_code == 302
    assert stored(alice) == {(title, "글")}


def linked() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zip_file:
        link = zipfile.ZipInfo("link.md")
        link.external_attr = 0o120777 << 16
        zip_file.writestr(link, "/etc/passwd")
    return file.getvalue()


def damaged() -> bytes:
    data = bytearray(packed({"a.md": "text" * 500}, zipfile.ZIP_STORED))
    data[200] ^= 1
    return bytes(data)


REFUSED: dict[str, tuple[Reason, bytes]] = {
    "nothing but pictures": (Reason.NOT_OURS, packed({"a.png": b"\0"})),
    "nothing but what is hidden": (Reason.NOT_OURS, packed({".obsidian/a.md": "a"})),
    "a link": (Reason.NOT_OURS, linked()),
    "a name that leads up": (Reason.UNSAFE, packed({"a.md": "a", "b/../../c.md": "c"})),
    "a name from the root": (Reason.UNSAFE, packed({"/a.md": "a"})),
    "a name that leads up, as Windows writes it": (Reason.UNSAFE, packed({"a.md": "a", "..\\c.md": "c"})),
    "a name with a control character": (Reason.UNSAFE, packed({"a\n.md": "a"})),
    "a bit that flipped": (Reason.DAMAGED, damaged()),
    "a TAR cut off": (Reason.DAMAGED, made.tagged_joplin()[:520]),
    "a TAR with another size": (Reason.DAMAGED, made.tagged_joplin()[:124] + b"x" + made.tagged_joplin()[125:]),
    "neither ZIP nor TAR": (Reason.NOT_A_ZIP, b"\x1f\x8b" + bytes(600)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_bundle_is_refused_and_stores_nothing(signed_in: Visitor, alice: User, name: str) -> None:
    reason, data = REFUSED[name]
    with same_row_counts(), pytest.raises(ArchiveRejected) as refusal:
        service.import_archive(
            alice, io.BytesIO(data), [made.NOTES], service.Progress(), replace_photo=False, zone=SEOUL
        )
    assert refusal.value.reason is reason


def test_every_reason_has_a_sentence() -> None:
    assert set(MISSING) == set(Missing)


def test_a_bundle_is_read_within_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes count as they are unpacked, whatever the ZIP says of them."""
    monkeypatch.setattr(bundles, "MAX_TEXT", 10)
    texts: dict[str, bytes | str] = {"a.md": "12345", "too long.md": "x" * (MAX_FILE + 1), "b.md": "123456"}
    with bundles.opened(io.BytesIO(packed(texts))) as files:
        assert not isinstance(files, Archive)
        found = notes_of(files, SEOUL)
        assert isinstance(next(found)[1], ForeignNote)
        assert next(found)[1] is Missing.TOO_LONG  # by its head: it takes nothing from the others
        with pytest.raises(ArchiveRejected) as refusal:
            next(found)
    assert refusal.value.reason is Reason.TOO_MUCH


def test_an_item_of_joplin_that_is_read_twice_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    name, text = made.joplin(1, made.NOTE_ID, "a\n\nb")
    monkeypatch.setattr(bundles, "MAX_TEXT", len(text))
    with bundles.opened(io.BytesIO(packed({name: text}))) as files:
        assert not isinstance(files, Archive)
        assert [isinstance(note, ForeignNote) for _, note in notes_of(files, SEOUL)] == [True]
