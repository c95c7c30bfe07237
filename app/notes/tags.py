"""The #tags in a note's text.

A tag is `#` at the start of a line or after a space or a bracket, followed by up to 30 characters that are neither
space nor punctuation, except `-` and `_`. Digits alone are a number, as in "we are #1". Case does not matter.
Revision 0013 has the same rule in SQL, for the notes that existed before tags did.
"""

import re

LENGTH = 30  # code points, without the #

# The characters that end a tag: ASCII except letters, digits, - and _; the spaces and punctuation of Latin-1, of
# Unicode's General Punctuation and CJK Symbols blocks, and the full-width forms.
_END = (
    r"\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xbf"
    r"\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff3e\uff40\uff5b-\uff65"
)
# \s spelled out, because in SQL the locale decides what \s is.
_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
TAG = re.compile(rf"(?:^|[{_SPACE}(\[])#([^{_END}]{{1,{LENGTH}}})(?![^{_END}])", re.MULTILINE)


def tags_of(title: str, content: str) -> list[str]:
    """Each tag once, in lower case and without `#`, sorted by code point."""
    text = f"{title}\n{content}"
    if "#" not in text:  # the search is half of what a long note of an import costs
        return []
    found = {tag.lower() for tag in TAG.findall(text)}
    return sorted(tag for tag in found if not (tag.isascii() and tag.isdigit()))
