"""Stemming of Korean words: 달 for 달은, 달을 and 달에서, which differ only by a particle (조사). Pure.

It goes by rules and without a dictionary of Korean, which would take 100 MB. So a word is left alone unless its page
speaks for the stem:

- The stem is a word of the page too, or the page holds two forms of it that show that it is a noun.
- The particle suits the stem's last syllable: 은 이 을 과 으로 follow a final consonant, 는 가 를 와 로 a vowel.
- Of several particles the longest counts: 집에서는 is 집 with 에서는.
- The word is neither a stop word nor one of whole_words.txt, such as 회의 and 어린이. The stem is none of NO_STEMS.

The copula (이라, 이고, 이며, 입니다) and 하고 are no particles here: most words that end so are verbs. The plural 들
is a part of the stem.

Source of the particles and of what each may follow: National Institute of Korean Language, 표준국어대사전.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import lru_cache

from app.wordcounts.analysis.words import STOP_WORDS, listed_in

SYLLABLES = [chr(ord("가") + number) for number in range(11_172)]  # of Hangul; see The Unicode Standard, §3.12
FINALS = 28  # so many syllables in a row differ by their final consonant alone; the first has none
EVERY, OPEN, RIEUL = map(frozenset, (SYLLABLES, SYLLABLES[::FINALS], SYLLABLES[8::FINALS]))
# The particles, and the last syllables of what each may follow.
SUITS = {
    particle: suits
    for particles, suits in (
        ("은 이 을 과 과는 과도 과의 이나 이라도 이란 이랑", EVERY - OPEN),
        ("는 가 를 와 와는 와도 와의 나 라도 란 랑", OPEN),
        ("으로 으로는 으로도 으로만 으로의 으로부터 으로서 으로써", EVERY - OPEN - RIEUL),
        ("로 로는 로도 로만 로의 로부터 로서 로써", OPEN | RIEUL),
        ("만", EVERY - {"지"}),  # 있지만 and 하지만 are verbs
        ("의 도 에 에는 에도 에만 에서 에서는 에서도 에서만 에서의 에서부터 에게 에게는 에게도 에게만 에게서", EVERY),
        ("한테 한테는 한테도 한테서 께서 께서는 께서도", EVERY),
        ("까지 까지는 까지도 까지의 부터 부터는 부터의 보다 보다는 보다도 처럼 만큼 마다 조차 마저 밖에", EVERY),
    )
    for particle in particles.split()
}
# Endings of verbs and adjectives look the same (많은 많을 많이, 들어가 들어와, 사용하는 사용하나).
ALSO_OF_VERBS = frozenset(["은", "는", "이", "가", "을", "와", "도", "만", "나", "라도", "란", "보다"])
# Two of these do show a noun, unless the stem has one syllable or ends as a verb does.
CASES = frozenset(["은", "는", "이", "가", "을"])
VERB_ENDS = frozenset(
    "갔같겠겪굵깊깎껐꺾꼈끊꽂났낳넓넣높놓놨늙늦닦닫닮닿댔덮돋됐듣떴많맑맞맡맺먹멎묻믿밝받뱉벗볶봤붙빗뽑샀섞섰솟싫싶쌓썩썼씹씻"
    "않앉았얇얹얻없었였옅옮옳왔웃읽잃있잊잡젊젖졌좁좇좋짚짧찢찮찾찼컸켰탔팠핥했훑흩"
)

LAST_LETTERS = {particle[-1] for particle in SUITS}
# Lengths of the particles that end in these two letters, the shortest first. Any other particle has one letter.
LENGTHS = {
    end: sorted({len(particle) for particle in SUITS if particle.endswith(end) or particle == end[-1]})
    for end in {particle[-2:] for particle in SUITS if len(particle) > 1}
}
WHOLE_WORDS = listed_in("whole_words.txt")
NEVER_SPLIT = STOP_WORDS | WHOLE_WORDS
# Stop words that are no nouns, or too short to tell: 나 in 나라는, 있다 in 있다는, 에서 in 에서만.
NO_STEMS = frozenset(word for word in STOP_WORDS if len(word) == 1 or word[-1] in "다지" or word in SUITS)


CACHED = 10_000  # words; frequent ones are those of many pages. About 3 MB


def stems(words: Collection[str]) -> dict[str, str]:
    """Map each of the page's words that has a stem to it. No stem has one itself. It need not be a word of the page."""
    found: dict[str, str] = {}
    others: dict[str, list[str]] = defaultdict(list)  # stem that is not a word of the page: its forms
    for word in words:
        if word[-1:] not in LAST_LETTERS:
            continue
        candidates = _candidates(word)
        for stem in candidates:
            if stem in words:
                found[word] = stem
                break
        else:
            if candidates:
                others[candidates[0]].append(word)
    _add_nouns(found, others)
    for word in found:
        while found[word] in found:  # 집만의 has the stem 집 too, if it is a form of 집만
            found[word] = found[found[word]]
    return found


@lru_cache(maxsize=CACHED)
def _candidates(word: str) -> tuple[str, ...]:
    """Return what the particles leave of a word that may end in them, the longest particle first."""
    if word in NEVER_SPLIT:
        return ()
    found: list[str] = []
    for length in LENGTHS.get(word[-2:], (1,)):
        stem, suits = word[:-length], SUITS.get(word[-length:], ())
        if stem[-1:] in suits and stem not in NO_STEMS:
            found.insert(0, stem)
            if stem in WHOLE_WORDS:  # 회로는 is 회로 with 는, and never 회 with 로는
                return (stem,)
    return tuple(found)


def _add_nouns(found: dict[str, str], others: Mapping[str, list[str]]) -> None:
    """Add the stems that are no words of the page, but whose forms show that they are nouns."""
    stems_of_forms = set(found.values())
    for stem, forms in others.items():
        if len(forms) > 1:
            # 호랑이 is not a form of 호랑 if 호랑이를 is one of 호랑이.
            own = [form for form in forms if form not in stems_of_forms]
            if _show_a_noun(stem, {form[len(stem) :] for form in own}):
                found.update(dict.fromkeys(own, stem))


def _show_a_noun(stem: str, particles: set[str]) -> bool:
    """Return True if a stem that is not a word of the page is a noun, by the particles of its forms."""
    if particles - ALSO_OF_VERBS:
        return len(particles) > 1
    return len(particles & CASES) > 1 and len(stem) > 1 and stem[-1] not in VERB_ENDS
