"""The rule for tags; revision 0013 has the same rule in SQL, for the notes that existed before."""

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.models import Note
from app.notes.texts import tags_of

SAMPLES = {
    "": [], "#책": ["책"], "오늘 읽은 #책 두 권 #책": ["책"], "#b #a #B": ["a", "b"], "#태그, 그리고": ["태그"],
    "#태그. #둘! #셋? (#넷) [#다섯]": ["넷", "다섯", "둘", "셋", "태그"], "#가。#나、#다": ["가"], "끝#아님": [],
    "# 제목": [], "# ": [], "we are #1": [], "#2026년": ["2026년"], "#1st": ["1st"], "#-": ["-"],
    "#a-b_c": ["a-b_c"], "https://example.com/#frag": [], "https://example.com/ #frag": ["frag"], "a&#39;b": [],
    "&#x27;": [], "#" + "가" * 30: ["가" * 30], "#" + "가" * 31: [], "#" + "x" * 30 + ",": ["x" * 30],
    "#😀": ["😀"], "#달😀반": ["달😀반"], "#👨\u200d👩": ["👨"], "first\n#second": ["second"],
    "first\n  #second": ["second"], "wide\u3000#space": ["space"], "no-break\u00a0#space": ["space"],
    "zero\u200b#width": [], "line\u2028#separator": ["separator"], "next\u0085#line": ["line"], "*#bold*": [],
    '"#quoted"': [], "<#angle>": [], "#a#b": ["a"], "#Ünïcode": ["ünïcode"], "#日本語 #中文": ["中文", "日本語"],
    "#책·영화": ["책"], "#c++": ["c"], "\\#no": [], "#٣": ["٣"],
}  # fmt: skip


def test_the_rule() -> None:
    assert {content: tags_of("", content) for content in SAMPLES} == SAMPLES


def test_a_title_can_have_tags_and_is_a_line_of_its_own() -> None:
    assert tags_of("장보기 #집", "#책") == ["집", "책"]
    assert tags_of("끝", "#책") == ["책"]


def test_an_edit_updates_the_tags(alice: User) -> None:
    note_id = service.create_note(alice.id, "Books", "three #책 #Home")
    assert db.session.scalar(db.select(Note.tags)) == ["home", "책"]
    service.update_note(alice.id, note_id, "Books", "#new", version=1)
    assert db.session.scalar(db.select(Note.tags)) == ["new"]
