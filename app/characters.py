"""Characters that are drawn as nothing. Pure, and apart from the forms, since nicknames are pure too.

Default_Ignorable_Code_Point (UAX 44) is what Unicode wants drawn so: zero-width spaces and joiners, the soft hyphen,
Hangul fillers, variation selectors, tags. The others are symbols and letters by name: annotation marks, the empty
Braille pattern, the null notehead, the Khitan filler, and the joiners of hieroglyphs.
"""

import regex

INVISIBLE = r"\p{Default_Ignorable_Code_Point}\uFFF9-\uFFFB\u2800\U0001D159\U00016FE4\U00013430-\U0001343F"  # of a set
BLANK = regex.compile(rf"[\s{INVISIBLE}]*")
