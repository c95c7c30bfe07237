"""Find the web addresses in a text, whole, and without the words and punctuation that Korean and Japanese put right
behind them.

linkify-it knows what belongs to an address, such as a bracket that it opened itself. It takes every letter, though, so
the text is cut before: `「https://e.kr/a」를` is the address `https://e.kr/a`.
"""

import re
from collections.abc import Iterator

from linkify_it import LinkifyIt
from markdown_it.common.normalize_url import normalizeLink

# Where the search of linkify-it begins is also decided here, since Korean and Japanese put no space before an address.
BEGINNING = re.compile(r"(?<![a-z0-9+.-])(?:https?://|mailto:)(?=\S)", re.IGNORECASE)
REL = "nofollow noopener noreferrer ugc"  # of the links that people write
# No address has these: spaces, invisible characters, the ends of full-width sentences, and one of these quotes or
# brackets that it does not both open and close, as it does in /wiki/《책》 and, behind a letter of ASCII, does not.
_PAIRS = "「」『』【】《》〈〉〔〕（）“”‘’"
_INVISIBLE = (
    r"\x00-\x1f\x7f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0"
)
_OUTSIDE = rf"\s<>\"`{_INVISIBLE}。、，．：；！？…⋯{_PAIRS}"
_QUOTED = "|".join(f"{a}[^{_OUTSIDE}]{{1,100}}{b}" for a, b in zip(_PAIRS[::2], _PAIRS[1::2], strict=True))
LONGEST = 2000
BODY = re.compile(rf"(?:[^{_OUTSIDE}]|(?<![a-zA-Z0-9])(?:{_QUOTED})){{1,{LONGEST}}}")
# Another address may follow without a space. Behind a sign such as `/` it is a part, as in those of an archive.
NEXT = re.compile(r"(?:(?<=[,;|])|(?<=[^\x00-\x7f]))https?://", re.IGNORECASE)
# A top-level domain is of one script, and a port of digits: whatever is written right behind them is the next word.
HOST = re.compile(
    r"https?://[^/?#]{0,300}(?:\.(?:[a-z][a-z0-9-]{1,62}|한국|닷컴|닷넷|삼성)|:[0-9]{1,5})(?=[^\x00-\x7f][^./?#:]*\.?(?:[/?#:]|$))",
    re.IGNORECASE,
)
# A path may end in Korean: /wiki/한국어 is whole. So a particle is one only behind a letter of the Latin alphabet, a
# digit, a slash or a closing sign, and only at the end. Japanese goes on without a space, so there it is cut anywhere.
_KOREAN = (
    r"(?:(?:에서|에게|한테|께|에|으로|로|까지|부터|보다|처럼|마다|만|와|과|이랑|랑|하고|밖에|조차|대로)?(?:는|은|도|만|의|를|을|가|이|라도|부터|까지)?요?"
    r"|(?:에게|한테|께|으로|로)(?:써|서)|에선|엔|에다가?|인데요?|인지|인가요?|임[을은]?|입니다만?|입니까|이에요|예요|이다|일까요?"
    r"|이?(?:라(?:는데?|고|며|면|서|네요|던데|니까?|죠|도)|란|며|고|나|든|든지|네요?|죠|지요|지만|군요|거든요|니까|래요?)"
    r"|(?:이었|였)(?:다|습니다|는데|음)|(?<!/)(?:이?야|말고|만큼은?|마저|커녕|뿐[만이]?|같[은이]|등[을의]|및|참[고조]|[ㄱ-ㅣ]+))"
)
_JAPANESE = r"(?:を|的|(?<!/)(?:は|が|に|の|で|と|も|へ|から|まで|より|など|って))"
PARTICLE = re.compile(
    rf"(?<=[a-z0-9/)\]}}'*_~])(?:(?:(?=[가-힣ㄱ-ㅣ]){_KOREAN}|\(으\)로)(?=\(|\W*$)|{_JAPANESE})", re.IGNORECASE
)
# One syllable behind a slash may be a name, as in /wiki/은 and /w/가(나), but 를 and 에 are none.
IS_NAME = re.compile(r"https?://[^/]+/(?:.*/[^를에を]\W?|(?:.*/)?[가-힣]+\()\Z", re.IGNORECASE)
# Of Markdown, right before an address: it ends where they come again. Others of them may be its own, as in /a*b*c.
EMPHASIS_BEFORE = re.compile(r"(\*{1,3}|~~)\Z")
# A word is tried this often. Each try may look at all of the rest of it, so more would be quadratic (ReDoS).
MOST_OF_A_WORD = 8
_SPACE = re.compile(r"\s")

_LINKIFY = LinkifyIt().add("ftp:", None).add("//", None)


def addresses_in(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and URL of each address of http, https and mailto, from left to right.

    The URL is what `href` takes: its host in Punycode, its path percent-encoded. The cost is linear in the length.
    """
    done = last = tries = 0
    for match in BEGINNING.finditer(text):
        start = match.start()
        tries = 1 if _SPACE.search(text, last, start) else tries + 1
        last = start
        if start < done or tries > MOST_OF_A_WORD:
            continue  # within the last address, as in those of an archive; or one too many
        if body := address_at(text, start):
            done = start + len(body)
            yield start, done, normalizeLink(body)


def address_at(text: str, start: int) -> str:
    """Return the address that begins there, as it is typed; empty if there is none."""
    match = BODY.match(text, start)
    body = NEXT.split(match[0], 1)[0] if match else ""
    emphasis = EMPHASIS_BEFORE.search(text, max(0, start - 3), start)
    if emphasis:
        body = body.partition(emphasis[1])[0]
    host = HOST.match(body)
    if host:
        body = host[0]
    ends = (match.start() for match in PARTICLE.finditer(body) if not IS_NAME.match(body[: match.end() + 1]))
    body = body[: next(ends, None)]
    link = _LINKIFY.match_at_start(body.rstrip("*_~"))
    return link.raw.rstrip("*_~.,:;!?^|·→\\–—") if link else ""
