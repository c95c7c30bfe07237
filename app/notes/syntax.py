"""Parse a note's text: Markdown (CommonMark) as people write it in Korean, Japanese and English.

The parser is markdown-it-py. Rules of ours read an address whole, `#tags`, emphasis beside Korean, Chinese and Japanese
(the amendment for CJK of CommonMark), arithmetic as arithmetic, and dates as dates. The page and the index of tags are
both made from these tokens, so they agree.

Images are not read, since they would tell their server who reads the note. Syntax that changes text which was not meant
as Markdown is off too: link definitions, entities, HTML, underlined headings and indented code.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import isPunctChar, isWhiteSpace
from markdown_it.parser_block import RuleFuncBlockType
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock, blockquote, fence, list_block, table
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token

from app.web_addresses import addresses_in

ALLOWED_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
MAX_NESTING = 20
# Algorithmic complexity attack: each of these may open or close something, which costs as much as 50 letters, and an
# address twice that. So does the cell of a table, and a row has as many as the first, however short it is. Once a note
# has used up what it may have, it shows further paragraphs as they were typed; all of it, if it has too many blocks.
DELIMITER = re.compile(r"[*_~\[`<#\\]|:(?=/)|/(?=/)")
DELIMITER_OF_LINES = re.compile(r"#|:(?=/)|/(?=/)")
MAX_DELIMITERS = 2000
BLOCK = re.compile(r"\n|(?<![^\s>+*-])(?:>|[-+*][ \t])")  # a line, a quote or an item of a list
MAX_BLOCKS = 3000

# An item of a list has a number of up to three digits: `2026. …` is a year. A number and another one with its dot, as
# in `11. 25. 회의` and `3. 1. 만세`, is a date, and so is one with a day of the week.
DATE = r"[0-9]{1,4}\. ?[0-9]{1,2}(?:\.(?![0-9])| ?\([월화수목금토일]\))"
LIST_NUMBER = rf"(?!{DATE})[0-9]{{1,3}}[.)]"
_NO_ITEM = re.compile(rf"{DATE}|[0-9]{{4,9}}[.)]")

_FACE = re.compile(r">[^\s<>]{0,2}<(?![\w/])")
# A line of `~` parts texts, as `-----` does, if it is longer than any fence of code or has words between.
_DIVIDER = re.compile(r"(?:~{8,}|~{3,}[^~`]+~{3,})\s*$")

# A tag is `#` and up to 30 characters that are neither space nor punctuation, except `-` and `_`. It begins a line or
# stands behind a space, a bracket, a quotation mark or another tag. Digits alone are a number, as in "we are #1". Case
# does not matter. Revision 0013 has an older rule in SQL, for the notes that existed before tags did.
TAG_LENGTH = 30  # code points, without the #
# The characters that end a tag: ASCII except letters, digits, - and _; the spaces and punctuation of Latin-1, of
# Unicode's General Punctuation and CJK Symbols blocks, the full-width forms, and fillers, which are drawn as nothing.
_END = (
    r"\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xbf\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufeff\uffa0"
    r"\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff3e\uff40\uff5b-\uff65"
)
_AT_END = rf"(?![^{_END}])"
# A colour is 3, 4, 6 or 8 hexadecimal digits with a number among them, or of one letter or one pair over and over:
# `#1a2b3c`, `#fff`, `#fafafa`. `#cafe` and `#fade` are words, and the 2 of `#b2b` says "to".
_COLOUR = (
    rf"(?![a-f]2[a-f]{_AT_END})(?=(?:[0-9a-f]{{3,4}}|[0-9a-f]{{6}}|[0-9a-f]{{8}}){_AT_END})"
    rf"(?:[a-f]*[0-9]|(?:([a-f])\1+|([a-f]{{2}})\2{{2,}}|(?:([a-f])\3){{3,4}}){_AT_END})"
)
# A tag begins with what is seen. An emoji may be several, joined by U+200D, and `#` itself is one with U+FE0F. Of
# punctuation, languages have some in their names: `++` behind a letter, and `#` behind a single one (C++, C#, F#). A
# dot ends a sentence, so it ends a tag.
TAG = re.compile(
    rf"#(?!{_COLOUR}|[0-9]+{_AT_END}|[\u061c\u20e3\ufe0f\U0001d173-\U0001d17a\U000e0000-\U000e0fff])"
    rf"(?:[a-z]#{_AT_END}(?!\#)"
    rf"|(?:[^{_END}]|(?<=[^{_END}])\u200d(?=[^{_END}])|(?<=[a-z])\+\+){{1,{TAG_LENGTH}}}{_AT_END})",
    re.IGNORECASE,
)
_BEFORE_TAG = re.compile(r"[\s(\[\"'“‘«「『《〈【〔〖（［｛＂＇｢]")
_BETWEEN_TAGS = ",/·;&、，"
_LINE_OF_TAGS = re.compile(rf"\s*(?:{TAG.pattern}\s*)+", re.IGNORECASE)


def parse(text: str) -> tuple[list[Token], bool]:
    """Return the tokens of a text, and True if some of it is not read as Markdown because that would cost too much."""
    env: dict[str, Any] = {"left": MAX_DELIMITERS, "is_cut": len(BLOCK.findall(text)) > MAX_BLOCKS}
    tokens = (_PARSER_OF_LINES if env["is_cut"] else _PARSER).parse(text, env)
    return tokens, bool(env["is_cut"])


def html_of(tokens: list[Token]) -> str:
    """Return the tokens as HTML, with all text escaped."""
    return str(_PARSER.renderer.render(tokens, _PARSER.options, {}))


def tags_in(text: str, *, is_markdown: bool) -> Iterator[str]:
    """Yield each tag of a text as it is typed, without its `#`."""
    if not TAG.search(text):  # parsing is most of what a long note of an import costs
        return
    for block in parse(text)[0] if is_markdown else _PARSER_OF_LINES.parse(text, {"left": MAX_DELIMITERS}):
        yield from (token.content[1:] for token in block.children or () if token.type == "tag")


class Sentence(StateInline):
    """A block's text while it is read: a paragraph, a heading, a cell."""

    @cached_property
    def addresses(self) -> dict[int, tuple[int, int, str]]:
        """Return start, end and URL of each address by where its `:` is, at which the parser stops."""
        return {self.src.index(":", start): (start, end, url) for start, end, url in addresses_in(self.src)}

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803 - the names of markdown-it
        """Return if a run of delimiters may open and close emphasis.

        It is CommonMark's rule of flanking with its amendment for CJK: beside a Chinese, Japanese or Korean character
        punctuation does not count against it, so `**"책"**처럼` is bold.
        Source: https://github.com/tats-u/markdown-cjk-friendly/blob/main/specification.md
        """
        run = _RUN.match(self.src, start, self.posMax)
        end = run.end() if run else start
        before, after = self.src[max(0, start - 2) : start] or " ", self.src[end] if end < self.posMax else " "
        marks = self.src[start:end]
        if is_arithmetic(before, marks, after) or _FACES.search(self.src[max(0, start - 9) : end] + after):
            return Scanned(can_open=False, can_close=False, length=end - start)
        last = before[0] if _VARIATION.fullmatch(before[1:]) else before[-1]
        beside = is_cjk(last) or before in _QUOTES_OF_CJK, is_cjk(after)
        signs = isPunctChar(last), isPunctChar(after)
        others = signs[0] and not beside[0], signs[1] and not beside[1]
        spaces = isWhiteSpace(ord(last)), isWhiteSpace(ord(after))
        left = not spaces[1] and (not others[1] or spaces[0] or others[0] or beside[0])
        right = not spaces[0] and (not others[0] or spaces[1] or others[1] or beside[1])
        can_open = left and (canSplitWord or not right or signs[0])
        if marks in ("*", "~~") and after in _ENDS and not spaces[0]:
            can_open = False  # as in `이름*, 주소*` and `네~~! 좋아요~~`
        can_close = right and (canSplitWord or not left or signs[1])
        return Scanned(can_open, can_close, end - start)


_RUN = re.compile(r"(.)\1*")
_FACES = re.compile(r"(?:\^__?\^|-__?-|>_<|@_@|=_=|(?:\A|[\s(（])\*[\^´｀≧≦]|\*[\^´｀≧≦][^\s*]*\*.)\Z", re.DOTALL)
_ENDS = set(",.!?;:)]}…^、。，．！？：；）］｝」』】》〉〕")
_VARIATION = re.compile("[\ufe00-\ufe0e]")  # of the character before it
_QUOTES_OF_CJK = {"‘\ufe01", "’\ufe01", "“\ufe01", "”\ufe01"}
_HANGUL_OR_VARIANT = re.compile("[\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff\U000e0100-\U000e01ef]")
_EMOJI = re.compile("[\u1100-\u2e7f\U0001f000-\U0001f1ff\U0001f300-\U0010ffff]")  # where symbols are emoji


def is_cjk(character: str) -> bool:
    """Return True for what the amendment calls so: wide and half-width characters but emoji, and Hangul."""
    if character < "\u1100":
        return False
    is_emoji = _EMOJI.match(character) and unicodedata.category(character) in ("So", "Sk")
    is_wide = unicodedata.east_asian_width(character) in ("W", "F", "H")
    return (is_wide and not is_emoji) or bool(_HANGUL_OR_VARIANT.match(character))


def is_arithmetic(before: str, run: str, after: str) -> bool:
    """Return True for `*` and `~` between two digits, for one `*` between a digit or bracket and another, and `x**2`.

    A letter may stand before the digit, as in `커피*2`, and behind it, unless it is of Chinese, Japanese or Korean: a
    particle follows emphasis, as in `*3*은`.

    Args:
        before: the last two characters, or fewer.
    """
    last, is_name = before[-1], len(before) == 1 or before[0] in " (+-/=,"
    ends, begins = last.isdigit() or last in ")）", after.isdigit() or after in "(（"
    if run != "*":
        is_power = run == "**" and last.isascii() and last.isalpha() and is_name
        return run[0] != "_" and after.isdigit() and (last.isdigit() or is_power)
    if last.isdigit():
        return begins or (after.isalpha() and not is_cjk(after))
    return (begins and ends) or (after.isdigit() and last.isalpha())


class Inline(ParserInline):
    """Read the text of a block, as long as the delimiters of all blocks are few enough."""

    def parse(self, src: str, md: MarkdownIt, env: Any, tokens: list[Token]) -> list[Token]:
        state = Sentence(src, md, env, tokens)
        reader: ParserInline = self
        if not has_room(env, len(DELIMITER.findall(src))):
            reader = _AS_TYPED if has_room(env, len(DELIMITER_OF_LINES.findall(src))) else _TEXT
        reader.tokenize(state)
        for rule in reader.ruler2.getRules(""):
            rule(state)
        return state.tokens


def has_room(env: Any, cost: int) -> bool:
    """Take the cost of what is read from that which a note may have."""
    if cost > env["left"]:
        env["is_cut"] = True
        return False
    env["left"] -= cost
    return True


def address(state: StateInline, silent: bool) -> bool:
    """Read an address as a whole, so that no sign in it is taken for emphasis."""
    assert isinstance(state, Sentence)  # noqa: S101
    if state.src[state.pos] != ":" or state.pos not in state.addresses:
        return False
    start, end, url = state.addresses[state.pos]
    scheme = state.src[start : state.pos]
    if end > state.posMax or not (silent or state.pending.endswith(scheme)):
        return False
    if not silent:
        state.pending = state.pending.removesuffix(scheme)
        token = state.push("text" if state.linkLevel else "address", "", 0)
        token.content, token.attrs = state.src[start:end], {"href": url}
    state.pos = end
    return True


def tag(state: StateInline, silent: bool) -> bool:
    """Read a tag, and those right behind it; none in a link."""
    src, start = state.src, state.pos
    if state.linkLevel or src[start] != "#" or (start and not _BEFORE_TAG.match(src[start - 1])):
        return False
    pos = start
    while match := TAG.match(src, pos, state.posMax) or TAG.match(src, pos + 1, state.posMax):
        if match.start() > pos and (pos == start or src[pos] not in _BETWEEN_TAGS):
            break
        if not silent:
            state.append_pending(src[pos : match.start()])
            state.push("tag", "", 0).content = match[0]
        pos = match.end()
    state.pos = pos
    return pos > start


def unlike(pattern: re.Pattern[str], rule: RuleFuncBlockType) -> RuleFuncBlockType:
    """Return a rule that reads no block from a line that begins like this: it is text."""

    def read(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
        begin, end = state.bMarks[start_line] + state.tShift[start_line], state.eMarks[start_line]
        return not pattern.match(state.src, begin, end) and rule(state, start_line, end_line, silent)

    return read


def dated(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """End a list before a date: as an item it would get the next number in place of its own."""
    begin = state.bMarks[start_line] + state.tShift[start_line]
    return silent and _NO_ITEM.match(state.src, begin, state.eMarks[start_line]) is not None


def tabled(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Read a table, unless it has too many cells."""
    is_table = table(state, start_line, end_line, True)
    if silent or not is_table:
        return is_table
    rows = next((line for line in range(start_line, end_line) if state.isEmpty(line)), end_line) - start_line
    columns = state.src.count("|", state.bMarks[start_line + 1], state.eMarks[start_line + 1]) + 1
    return has_room(state.env, rows * columns) and table(state, start_line, end_line, silent)


def fenced(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Read a fence of code. One that nobody closed ends before a last line of tags, which is none of its code."""
    is_fence = fence(state, start_line, end_line, True)
    if silent or not is_fence:
        return is_fence
    has_tags = _LINE_OF_TAGS.fullmatch(state.src, state.bMarks[end_line - 1], state.eMarks[end_line - 1])
    return fence(state, start_line, end_line - bool(has_tags), silent)


def parser() -> MarkdownIt:
    options: Any = {"html": False, "breaks": True, "xhtmlOut": False, "maxNesting": MAX_NESTING}
    made = MarkdownIt()
    made.inline = Inline()
    made.configure("commonmark", options_update=options).enable(["strikethrough", "table"])
    made.disable(["image", "html_block", "html_inline", "entity", "reference", "lheading", "code", "text_join"])
    made.validateLink = lambda url: bool(ALLOWED_LINK.match(url))  # type: ignore[method-assign]
    made.block.ruler.before("list", "date", dated, {"alt": ["list"]})
    ended = ["paragraph", "reference", "blockquote"]
    made.block.ruler.at("list", unlike(_NO_ITEM, list_block), {"alt": ended})
    made.block.ruler.at("blockquote", unlike(_FACE, blockquote), {"alt": [*ended, "list"]})
    made.block.ruler.at("fence", unlike(_DIVIDER, fenced), {"alt": [*ended, "list"]})
    made.block.ruler.at("table", tabled, {"alt": ["paragraph", "reference"]})
    made.inline.ruler.before("newline", "address", address)
    made.inline.ruler.before("newline", "tag", tag)
    return made


def parser_of_lines(*rules: str) -> MarkdownIt:
    """Return the parser of text that is shown as it was typed."""
    made = parser()
    made.block.ruler.enableOnly(["paragraph"])
    made.inline.ruler.enableOnly(["text", "newline", *rules])
    made.inline.ruler2.enableOnly([])
    return made


_PARSER = parser()
_PARSER_OF_LINES = parser_of_lines("address", "tag")
_AS_TYPED = _PARSER_OF_LINES.inline
_TEXT = parser_of_lines().inline
