"""Character set detection, decoding, and content sniffing (is it HTML, is it text?). Pure.

Korean pages of two decades say "euc-kr" and mean Microsoft's extension of it, cp949: 똠 and 펲 exist only there. There
is no statistical detection. For Korean and English the order in `decode` is enough, and short pages mislead detectors
(charset-normalizer called `<p>한국</p>` big5).
"""

import codecs
import re

HEAD = 1024  # bytes; a page must declare its character set within them (HTML standard, §4.2.5.4)

BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

# Label (only its letters and digits, in lower case): Python codec. What a label means is from the WHATWG Encoding
# standard, §4.2. It is an allow-list, because Python's codecs are not only character sets (punycode, unicode_escape).
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

# No two neighbouring parts match the same character, so a header of 60,000 spaces takes linear time (no ReDoS).
LABEL = re.compile(r"charset\s*=[\s\"']*([^\s\"';,>/]+)", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
META = re.compile(r"<meta[\s/][^>]*", re.IGNORECASE)
XML_LABEL = re.compile(r"\A<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"'>]+)")

XHTML = "application/xhtml+xml"

# WHATWG MIME Sniffing standard: how HTML begins (§7.1), and bytes that never occur in text (§3, "binary data byte").
MARKUP = re.compile(
    rb"\s*(?:<!--|<\?xml|<!doctype html|<(?:html|head|body|title|meta|script|style|h1|div|p|br|a)\b)", re.IGNORECASE
)
BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]|\A%PDF-|\A%!PS")


def media_type(content_type: str) -> str:
    """Return the media type of a Content-Type header: lower case, without parameters; "" if there is none."""
    return re.split("[;,]", content_type)[0].strip().lower()


def looks_like_html(body: bytes) -> bool:
    """Return True if a page without a Content-Type is HTML (content sniffing)."""
    return bool(MARKUP.match(body.removeprefix(codecs.BOM_UTF8)))


def looks_like_text(body: bytes) -> bool:
    """Return True unless the first HEAD bytes are of binary data. A byte order mark always means text."""
    return body.startswith(tuple(BYTE_ORDER_MARKS)) or not BINARY.search(body[:HEAD])


def decode(body: bytes, content_type: str) -> str:
    """Decode a page, decompressed. What cannot be decoded becomes U+FFFD, so this never fails.

    The first of these decides: byte order mark, Content-Type header, <meta> or XML declaration, valid UTF-8, cp949. XML
    has no <meta> that declares.
    """
    for mark, codec in BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    declared = _codec_of(LABEL.findall(content_type)) or _codec_in_head(body, content_type)
    if declared:
        return body.decode(declared, "replace")
    for codec in ("utf-8", "cp949"):
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            continue
    return body.decode("utf-8", "replace")


def _codec_of(labels: list[str]) -> str | None:
    known = (CODECS.get(re.sub("[^a-z0-9]", "", label.lower())) for label in labels)
    return next(filter(None, known), None)


def _codec_in_head(body: bytes, content_type: str) -> str | None:
    """Return the codec that the HTML itself declares. Plain text cannot declare one."""
    if media_type(content_type) == "text/plain":
        return None
    head = COMMENT.sub("", body[:HEAD].decode("latin-1"))
    metas = META.findall(head) if media_type(content_type) != XHTML else []
    labels = [label for meta in metas for label in LABEL.findall(meta)]
    codec = _codec_of(labels) or _codec_of(XML_LABEL.findall(head))
    # Bytes that were readable as Latin-1 are not UTF-16 (HTML standard, §13.2.3.2).
    return "utf-8" if codec and codec.startswith("utf-16") else codec
