"""Characters that are drawn as nothing, and composed ones. Pure, and apart from the forms, as nicknames are.

Default_Ignorable_Code_Point (UAX 44) is what Unicode wants drawn so: zero-width spaces and joiners, the soft hyphen,
Hangul fillers, variation selectors, tags. The others are symbols and letters by name: annotation marks, the empty
Braille pattern, the null notehead, the Khitan filler, and the joiners of hieroglyphs.
"""

import unicodedata

import regex

INVISIBLE = r"\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB\u2800\U0001D159\U00016FE4\U00013430-\U0001343F"  # of a set
BLANK = regex.compile(rf"[\s{INVISIBLE}]*")

# Normalizing sorts the marks behind a letter by insertion: 240,000 in one request took 40 s, in which no other thread
# ran (algorithmic complexity attack). 30 and a joiner is what UAX 15 has of them (13, Stream-Safe Text Format).
MARK = r"[\p{M}--\u034F]"
MANY_MARKS = regex.compile(rf"(?V1){MARK}{{30}}(?={MARK})")


def composed(text: str) -> str:
    """Convert to NFC, in linear time. macOS, for one, decomposes Hangul."""
    return unicodedata.normalize("NFC", MANY_MARKS.sub("\\g<0>\u034f", text))
