"""N-grams: the most frequent phrases of two and of three words. Pure.

A phrase is kept as one number, not as a tuple of words: its digits, to a base of the number of different words, are the
words. So no object is made for each place in the text, only for each different phrase.
"""

import heapq
import math
from collections import Counter
from itertools import islice, repeat
from operator import add, mul

PHRASES_KEPT = 50  # of each length

LINE_END = -math.inf  # stands in for a word at the end of a line; any sum or product with it stays -inf


def frequent_phrases(reading: list[float], words: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """The most frequent phrases of two words, and those of three.

    Each dict maps a phrase to its count, the most frequent first; of equally frequent ones, the one whose words come
    first in the text. A phrase that occurs once is left out.

    Args:
        reading: the numbers of the words in reading order, with a LINE_END behind each line.
        words: the word of each number. Number 0 is not a word, so that each phrase has a number of its own.
    """
    base = len(words)
    pairs = list(map(add, map(mul, reading, repeat(base)), islice(reading, 1, None)))
    triples = map(add, map(mul, pairs, repeat(base)), islice(reading, 2, None))
    return _most_frequent(Counter(pairs), words), _most_frequent(Counter(triples), words)


def _most_frequent(counted: Counter[float], words: list[str]) -> dict[str, int]:
    repeated = ((-times, int(phrase)) for phrase, times in counted.items() if times > 1 and phrase > 0)
    best = heapq.nsmallest(PHRASES_KEPT, repeated)
    return {" ".join(words[number] for number in _digits(phrase, len(words))): -times for times, phrase in best}


def _digits(number: int, base: int) -> list[int]:
    if number < base:
        return [number]
    return [*_digits(number // base, base), number % base]
