"""Character set detection, decoding and content sniffing, also where the page declares nothing or something wrong."""

import pytest

from app.wordcounts.analysis.charset import decode, looks_like_html, looks_like_text, media_type

WORDS = "똠방각하가 펲시를 찦차에 쿿하고"  # 똠, 펲, 찦 and 쿿 are in cp949, not in Python's euc-kr
HTML = "text/html"
META = '<meta charset="{}">'
HTTP_EQUIV = '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset={}">'

KOREAN_LABELS = [
    "euc-kr", "EUC-KR", "euc_kr", "cseuckr", "ks_c_5601-1987", "KS_C_5601-1989", "ksc5601", "ksc_5601",
    "csksc56011987", "iso-ir-149", "korean", "windows-949", "x-windows-949", "cp949", "ms949", "uhc",
]  # fmt: skip
OTHERS = [
    ("iso-8859-1", "cp1252", "naïve “quotes”"), ("windows-1251", "cp1251", "слово"),
    ("iso-8859-2", "iso8859_2", "słowo"),
    ("Shift_JIS", "cp932", "言葉"), ("EUC-JP", "euc_jp", "言葉"), ("ISO-2022-JP", "iso2022_jp", "言葉"),
    ("gb2312", "gb18030", "词语"), ("Big5", "big5hkscs", "詞語"), ("koi8-r", "koi8_r", "слово"),
    ("utf-16be", "utf-16-be", "word 낱말"),
]  # fmt: skip


def test_every_korean_label_means_cp949() -> None:
    body = WORDS.encode("cp949")
    for label in KOREAN_LABELS:
        assert decode(body, f"{HTML}; charset={label}") == WORDS
        for head in (META, HTTP_EQUIV):
            assert decode(head.format(label).encode() + body, HTML).endswith(WORDS)


def test_korean_without_any_label() -> None:
    assert decode(f"<p>{WORDS}</p>".encode("cp949"), HTML) == f"<p>{WORDS}</p>"
    assert decode(WORDS.encode(), HTML) == WORDS
    assert decode(WORDS.encode("cp949"), "") == WORDS


def test_ways_to_write_the_label() -> None:
    for content_type in (
        'text/html; charset="euc-kr"',
        "TEXT/HTML; CHARSET=EUC-KR",
        "text/html; charset = euc-kr ; a=b",
        "text/html; charset=nonsense, text/html; charset=euc-kr",
    ):
        assert decode(WORDS.encode("cp949"), content_type) == WORDS, content_type
    for meta in (
        "<meta charset='euc-kr'/>",
        "<meta\ncharset = euc-kr >",
        "<meta/charset=euc-kr>",
        "<!-- <meta charset=utf-8> --><meta charset=euc-kr>",
        '<meta charset="nonsense"><meta charset="euc-kr">',
        "<?xml version='1.0' encoding='euc-kr'?><html>",
    ):
        assert decode(f"{meta}<p>é</p>".encode("cp949", "ignore") + WORDS.encode("cp949"), HTML).endswith(WORDS), meta


def test_a_byte_order_mark_outweighs_every_label_and_is_no_text() -> None:
    text = META.format("euc-kr") + WORDS
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert decode(mark + text.encode(codec), "text/html; charset=shift_jis") == text


def test_an_unknown_label_is_as_if_there_were_none() -> None:
    for label in ("nonsense", "utf-7", "unicode_escape", "", "\0"):
        known = META.format("euc-kr").encode() + WORDS.encode("cp949")
        assert decode(known, f"{HTML}; charset={label}").endswith(WORDS), label
        assert decode(META.format(label).encode() + WORDS.encode(), HTML).endswith(WORDS), label


def test_a_label_that_does_not_count() -> None:
    for head, content_type in (
        (META.format("euc-kr"), "text/html; charset=utf-8"),  # the header outweighs the page
        (" " * 1024 + META.format("euc-kr"), HTML),  # a label behind the first 1024 bytes is not read
        (META.format("shift_jis"), "text/plain"),  # a label in plain text is text
        (META.format("utf-16"), HTML),  # a page that says UTF-16 in ASCII is in UTF-8
    ):
        assert decode(head.encode() + WORDS.encode(), content_type).endswith(WORDS), head


def test_other_character_sets() -> None:
    for label, codec, text in OTHERS:
        assert decode(text.encode(codec), f"{HTML}; charset={label}") == text, label


@pytest.mark.parametrize("content_type", [HTML, "text/plain", "text/html; charset=euc-kr", "a; charset=utf-16le"])
def test_it_never_fails(content_type: str) -> None:
    for body in (b"", b"\xff", b"\xff\xfe\x00", b"\xef\xbb\xbf\xff", b"\x80\xfe\x00<meta charset=", bytes(range(256))):
        assert "\ufeff" not in decode(body, content_type)
        decode(body, content_type).encode()  # no lone surrogates; PostgreSQL refuses them


def test_it_reads_a_hostile_header_in_one_pass() -> None:
    assert decode(b"a", "text/html; charset=" + " " * 60_000) == "a"
    assert decode(b"<meta charset=" * 70 + b" " * 60_000, "text/html; " + "charset " * 8_000).startswith("<meta")


def test_media_types() -> None:
    html = ("Text/HTML;charset=utf-8", "text/html, text/html")
    kinds = {**dict.fromkeys(html, "text/html"), " text/plain ; a=b": "text/plain", "": ""}
    assert {header: media_type(header) for header in kinds} == kinds


def test_html_is_recognized_by_its_beginning() -> None:
    html = (b"<!DOCTYPE html>", b"\n <HTML>", b"<p>a", b"<!-- a -->", b"<?xml ?>", b"\xef\xbb\xbf<body id=a>", b"<a>")
    assert [body for body in html if not looks_like_html(body)] == []
    assert [body for body in (b"", b"a <html>", b"<pa>", b"%PDF-1.4 <html>", b"{}") if looks_like_html(body)] == []


def test_text_is_told_from_binary_data() -> None:
    text = (b"words", WORDS.encode(), WORDS.encode("cp949"), b"\xff\xfea\0", b"a\tb\r\n\x0c\x1b[0m")
    binary = (b"%PDF-1.7\n", b"%!PS", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n\0", b"\x1f\x8b\x08", b"a\0b")
    assert [body for body in text if not looks_like_text(body)] == []
    assert [body for body in binary if looks_like_text(body)] == []
