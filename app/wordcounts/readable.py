"""Percent-encoded addresses as people read them: /wiki/달 for /wiki/%EB%8B%AC. Pure.

Only for the eye: a link leads to the address as it is. What is shown must not pass for another address, so a character
is decoded only if it is a letter or digit outside of ASCII that is visible and runs from left to right. Delimiters,
spaces, punctuation that looks like a delimiter, controls, blank letters and what turns the direction of the text stay
encoded. A host name (IDN) is decoded only where it adds nothing but Hangul syllables, which look like no letter of
another script; the rest stays Punycode. Compare Unicode UTS #36 (Unicode Security Considerations) and the IDN policy of
browsers.
"""

import string
from urllib.parse import SplitResult, quote, urlsplit

import idna
import regex

ESCAPES = regex.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f])+")  # of octets outside of ASCII
VISIBLE = regex.compile(
    r"[[\p{L}\p{N}]--[\p{ASCII}\p{Default_Ignorable_Code_Point}]"
    r"--[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]]",
    regex.V1,
)
HANGUL_LABEL = regex.compile(r"[가-힣a-z0-9-]+")
MAX_HOST_LENGTH = 253  # characters; RFC 1035 §2.3.4 allows 255 octets on the wire
MAX_LABEL_LENGTH = 63
JOINERS = "\u200c\u200d"
PLAIN = regex.compile(r"https?://(?!.*xn--)[!-$&-~]+", regex.IGNORECASE)  # nothing to decode or to encode


def readable(url: str) -> str:
    """Decode the safe characters of an address. One that cannot be parsed is shown encoded."""
    if PLAIN.fullmatch(url):  # as most are
        return url
    try:
        parts = urlsplit(url)
        host = _host(parts.netloc)
    except ValueError:
        return _encoded(url)
    shown = (decoded(_encoded(part)) for part in (parts.path, parts.query, parts.fragment))
    return SplitResult(parts.scheme, host, *shown).geturl()


def decoded(text: str) -> str:
    """Decode the safe percent-encoded characters of a text: an address, or a title that was made from one."""
    return ESCAPES.sub(lambda found: _decoded(found[0]), text)


def host_in_ascii(host: str) -> str:
    """Convert a host as browsers do (UTS 46, non-transitional): faß.de is not fass.de. Raises: UnicodeError.

    ①②⑦ and full-width dots become ASCII, so what checks the host sees what the resolver would see.
    """
    mapped = host.lower() if host.isascii() else idna.uts46_remap(host, std3_rules=False, transitional=False)
    if len(mapped) > MAX_HOST_LENGTH + 1:  # + 1 for a final dot. Encoding long labels as Punycode takes seconds.
        raise UnicodeError
    if not all(idna.valid_contextj(mapped, place) for place, letter in enumerate(mapped) if letter in JOINERS):
        raise UnicodeError  # an invisible letter that joins nothing
    # `idna.encode` would refuse emoji, which browsers do not.
    labels = [name if name.isascii() else f"xn--{name.encode('punycode').decode()}" for name in mapped.split(".")]
    if max(map(len, labels)) > MAX_LABEL_LENGTH:
        raise UnicodeError
    return ".".join(labels)


def _encoded(text: str) -> str:
    return quote(text, string.punctuation, errors="replace")


def _decoded(escapes: str) -> str:
    try:
        characters = bytes.fromhex(escapes.replace("%", "")).decode()
    except UnicodeDecodeError:  # of another charset
        return escapes
    return "".join(character if VISIBLE.fullmatch(character) else quote(character) for character in characters)


def _host(netloc: str) -> str:
    """Return the host in ASCII, but for labels of Hangul. Raises: ValueError: it is not a host name."""
    host = host_in_ascii(netloc)
    if host != _encoded(host):  # a space or a control
        raise ValueError
    return ".".join(map(_label, host.split(".")))


def _label(label: str) -> str:
    shown = label.removeprefix("xn--").encode("ascii").decode("punycode") if label.startswith("xn--") else label
    return shown if HANGUL_LABEL.fullmatch(shown) and host_in_ascii(shown) == label else label
