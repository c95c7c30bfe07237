"""Pages that would keep a parser busy: one by its time, one by its memory."""

from app.wordcounts.fetching import MAX_BYTES

DEEP = "<div>" * (MAX_BYTES // 5)
# Each paragraph reopens all elements that the ones before it left open.
MISNESTED = "".join(f"<p><b x{number}>" for number in range(MAX_BYTES // 14))
