"""The text of a page, whatever character set it is in. Pure.

Korean pages of twenty years are in "euc-kr", which in truth is Microsoft's extension of it: 똠 and 펲 are in no other.
Nothing is guessed by statistics: for Korean and English the order below is enough, and short pages mislead guessers.
"""

import codecs
import re

HEAD = 1024  # bytes in which a page has to declare its character set (HTML standard, §4.2.5.4)

BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

# Label, in small letters and digits alone: codec. A positive list, since Python's codecs hold more than character sets
# (punycode, unicode_escape); what the labels mean is as in the Encoding standard of the WHATWG, §4.2.
CODECS = {
    **dict.fromkeys(["utf8", "unicode11utf8"], "utf-8"),
    **dict.fromkeys(["utf16", "utf16le", "unicode", "ucs2"], "utf-16-le"),
    "utf16be": "utf-16-be",
    **dict.fromkeys(["euckr", "cseuckr", "ksc56011987", "ksc56011989", "csksc56011987", "ksc5601", "korean"], "cp949"),
    **dict.fromkeys(["isoir149", "windows949", "xwindows949", "cp949", "xcp949", "ms949", "949", "uhc"], "cp949"),
    **dict.fromkeys(["usascii", "ascii", "iso88591", "latin1", "l1", "windows1252", "cp1252"], "cp1252"),
    **dict.fromkeys(["shiftjis", "sjis", "xsjis", "mskanji", "windows31j", "ms932"], "cp932"),
    **dict.fromkeys(["eucjp", "xeucjp"], "euc_jp"),
    "iso2022jp": "iso2022_jp",
    **dict.fromkeys(["gb2312", "gbk", "xgbk", "gb18030", "chinese"], "gb18030"),
    **dict.fromkeys(["big5", "big5hkscs", "cnbig5", "xxbig5"], "big5hkscs"),
    **{f"iso8859{part}": f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
    **{f"windows{page}": f"cp{page}" for page in (874, 1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
}

# No two neighbours match the same letter, so a header of 60,000 spaces is read in one pass.
LABEL = re.compile(r"charset\s*=[\s\"']*([^\s\"';,>/]+)", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
META = re.compile(r"<meta[\s/][^>]*", re.IGNORECASE)
XML_LABEL = re.compile(r"\A<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"'>]+)")

# How a page begins (MIME Sniffing standard of the WHATWG, §7.1), and the bytes that no text holds (§3, "binary data").
MARKUP = re.compile(
    rb"\s*(?:<!--|<\?xml|<!doctype html|<(?:html|head|body|title|meta|script|style|h1|div|p|br|a)\b)", re.IGNORECASE
)
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]|\A%PDF-|\A%!PS")


def media_type(content_type: str) -> str:
    """Of a Content-Type header, without its parameters, in small letters; "" when there is none."""
    return re.split("[;,]", content_type)[0].strip().lower()


def looks_like_html(body: bytes) -> bool:
    return bool(MARKUP.match(body.removeprefix(codecs.BOM_UTF8)))


def looks_like_text(body: bytes) -> bool:
    """As far as its beginning tells; a byte order mark is believed."""
    return body.startswith(tuple(BYTE_ORDER_MARKS)) or not BINARY.search(body[:HEAD])


def decode(body: bytes, content_type: str) -> str:
    """The text; what no character set can read becomes U+FFFD, so this never fails.

    Args:
        body: the page, uncompressed.
        content_type: the header's value, "" if there was none.
    """
    for mark, codec in BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    codec_said = _codec(LABEL.findall(content_type)) or _codec_inside(body, content_type)
    if codec_said:
        return body.decode(codec_said, "replace")
    for codec in ("utf-8", "cp949"):
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            continue
    return body.decode("utf-8", "replace")


def _codec(labels: list[str]) -> str | None:
    """Of the first label that is known."""
    known = (CODECS.get(re.sub("[^a-z0-9]", "", label.lower())) for label in labels)
    return next(filter(None, known), None)


def _codec_inside(body: bytes, content_type: str) -> str | None:
    """What the page says of itself, which plain text cannot."""
    if media_type(content_type) == "text/plain":
        return None
    head = COMMENT.sub("", body[:HEAD].decode("latin-1"))
    labels = [label for meta in META.findall(head) for label in LABEL.findall(meta)]
    codec = _codec(labels) or _codec(XML_LABEL.findall(head))
    # In UTF-16 this could not have been read.
    return "utf-8" if codec and codec.startswith("utf-16") else codec
