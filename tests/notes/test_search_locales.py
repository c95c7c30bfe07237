"""A search finds the same whatever the locale of the database is: C knows ASCII letters alone, and Turkish others."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg2
import pytest

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from app.notes import listing, service
from app.notes.search import Search
from app.search_words import words_of
from app.todos import listing as todo_listing
from app.todos import service as todos
from config import TestingConfig
from tests.conftest import PASSWORD
from tests.databases import Environment, copied_database, upgrade

UTF8 = "ENCODING 'UTF8' LOCALE_PROVIDER"
# Not every server has the others.
OTHERS = (
    *(f"{UTF8} libc LOCALE '{name}.UTF-8'" for name in ("C", "ko_KR", "en_US", "tr_TR")),
    *(f"{UTF8} icu LOCALE 'C' ICU_LOCALE '{name}'" for name in ("und", "tr")),
    f"{UTF8} builtin LOCALE 'C' BUILTIN_LOCALE 'PG_UNICODE_FAST'",
)
LOCALES = (f"{UTF8} libc LOCALE 'C'", *(pytest.param(each, marks=pytest.mark.minutes) for each in OTHERS))
TEXTS = (
    *("CAFÉ École", "ЁЛКА В ЛЕСУ", "ΟΔΟΣ ΣΑΣ", "ÑANDÚ", "İSTANBUL ISPARTA", "ısırgan", "STRAẞE", "Straße", "ÅNGSTRÖM"),
    *(
        "ＡＢＣ１２３",
        "감자수제비",
        "ｶﾀｶﾅ カタカナ",
        "PHỞ BÒ",
        "ŁÓDŹ",
        "ԵՐԵՎԱՆ",
        "КИЇВ їжак",
        "감자 CAFÉ ЛЕС",
        "MILK inside",
    ),
    *("Z͎ALGO", "ㅋㅋ 웃기", "東京 TÔKYÔ", "Ǆ ǆ", "don’t PANIC"),
)
FINDS = {
    ("café", "CAFÉ", "cafe", "CAFE", "ＣＡＦＥ", "cafe\u0301"): {"CAFÉ École", "감자 CAFÉ ЛЕС"},
    ("école", "ÉCOLE", "ecole cafe", '"CAFÉ école"'): {"CAFÉ École"},
    ("ёлка", "ЁЛКА", "елка", "Ёлка лесу", "в лесу", '"ёлка в"'): {"ЁЛКА В ЛЕСУ"},
    ("лес", "ЛЕС", "Лес"): {"ЁЛКА В ЛЕСУ", "감자 CAFÉ ЛЕС"},
    ("σας", "ΣΑΣ", "σασ", "οδος σας", "ΟΔΟΣ", "οδοσ"): {"ΟΔΟΣ ΣΑΣ"},
    ("ñandú", "nandu", "ÑANDÚ", "Ñandu"): {"ÑANDÚ"},
    ("istanbul", "İstanbul", "ISTANBUL", "ıstanbul"): {"İSTANBUL ISPARTA"},
    ("isparta", "ISPARTA"): {"İSTANBUL ISPARTA"},
    ("isirgan", "ISIRGAN", "ısırgan"): {"ısırgan"},
    ("straße", "STRAẞE"): {"STRAẞE", "Straße"},
    ("ångström", "angstrom", "å ström"): {"ÅNGSTRÖM"},
    ("abc", "ＡＢＣ", "abc123", "１２３", "123"): {"ＡＢＣ１２３"},
    ("감자", "ㄱㅈ", "감ㅈ"): {"감자수제비", "감자 CAFÉ ЛЕС"},
    ("감자 лес", "ㄱㅈ café", "ㄱㅈ ЛЕС", "лес cafe 감자"): {"감자 CAFÉ ЛЕС"},
    ("カタカナ", "ｶﾀｶﾅ", '"ｶﾀｶﾅ カ"'): {"ｶﾀｶﾅ カタカナ"},
    ("phở", "PHO", "pho bo", "bò"): {"PHỞ BÒ"},
    ("łódź", "lodz", "LODZ", "Łódź"): {"ŁÓDŹ"},
    ("երևան",): set(),
    ("երեվան", "ԵՐԵՎԱՆ"): {"ԵՐԵՎԱՆ"},
    ("київ", "КИЇВ", "Їжак київ"): {"КИЇВ їжак"},
    ("milk", "Inside", "INSIDE milk"): {"MILK inside"},
    ("ㅋㅋ", "ㅋ", "웃ㄱ"): {"ㅋㅋ 웃기"},
    ("tôkyô", "tokyo", "東京", "東京 TOKYO"): {"東京 TÔKYÔ"},
    ("ǆ", "Ǆ"): {"Ǆ ǆ"},
    ("don't", "DON’T panic"): {"don’t PANIC"},
    ("кошка", "дом", "σοφία", "nandus", "istambul.", "ㄲㅈ"): set(),
}


@pytest.fixture(scope="module", params=LOCALES)
def reader(request: pytest.FixtureRequest, server_environment: Environment) -> Iterator[int]:
    """Give an account with these notes and todos, in a database of the locale, if the server has that."""
    with ExitStack() as stack:
        try:
            environment = stack.enter_context(copied_database(server_environment, "template0", request.param))
        except psycopg2.Error as error:
            pytest.skip(str(error))
        upgrade(environment)
        stack.enter_context(create_app(TestingConfig(environment)).app_context())
        stack.callback(db.engine.dispose)
        user_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
        for each in TEXTS:
            service.create_note(user_id, each, "#책 #Ёж")
            todos.create_todo(user_id, each)
        yield user_id


def test_notes_are_found_by_the_same_words(reader: int) -> None:
    wrong = {
        query: titles
        for queries, expected in FINDS.items()
        for query in queries
        for tags in ("", " #책 #ЁЖ")
        if (titles := {note.title for note in listing.list_notes(reader, search=Search.parse(query + tags)).notes})
        != expected
    }
    assert wrong == {}


def test_todos_are_found_by_the_same_words(reader: int) -> None:
    wrong = {
        query: found
        for queries, expected in FINDS.items()
        for query in queries
        if (found := {todo.description for todo in todo_listing.list_todos(reader, words=words_of(query)).todos})
        != expected
    }
    assert wrong == {}


def test_a_slip_is_corrected_by_the_same_words(reader: int) -> None:
    for slip, title in {"лсеу": "ЁЛКА В ЛЕСУ", "mlik": "MILK inside", "ISNIDE": "MILK inside", "wiht": None}.items():
        page = listing.list_notes(reader, search=Search.parse(slip))
        assert [note.title for note in page.notes] == ([title] if title else [])
