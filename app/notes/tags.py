"""The #tags that stand in a note.

A tag is `#` at the beginning or behind a space or a bracket, and up to 30 characters that are neither space nor
punctuation; `-` and `_` may stand in it. Digits alone are a number, as in "we are #1". Upper and lower case are one.
Revision 0013 says the same rule in SQL, for the notes that were there before.
"""

import re

LENGTH = 30  # code points, without the #

# What a tag is not made of: ASCII but for letters, digits, - and _; the spaces and punctuation of Latin-1, of Unicode's
# general block, of Chinese, Japanese and Korean, and their wide forms.
_END = (
    r"\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xbf"
    r"\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff3e\uff40\uff5b-\uff65"
)
_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # \s, which in SQL the locale decides
TAG = re.compile(rf"(?:^|[{_SPACE}(\[])#([^{_END}]{{1,{LENGTH}}})(?![^{_END}])", re.MULTILINE)


def tags_of(title: str, content: str) -> list[str]:
    """Each tag once, in lower case, in the order of their code points; without the `#`."""
    found = {tag.lower() for tag in TAG.findall(f"{title}\n{content}")}
    return sorted(tag for tag in found if not (tag.isascii() and tag.isdigit()))
