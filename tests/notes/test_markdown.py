"""Markdown as people write it: what each rule of ours reads, beside Korean, Japanese and English.

Of CommonMark's 652 examples (0.31) 334 are rendered as its own preset of the parser does, but for the attributes of
links. 313 differ by what is chosen: a line break is a line break (128), definitions of links (77), HTML (72), links of
other schemes (52), indented code (51), images (22), underlined headings (19) and entities (10) are off; one may differ
by several. Five differ by rules of ours: OUR_EXAMPLES. The published cases of the amendment for CJK are all right.
"""

import itertools
import re
from html import unescape
from random import Random
from urllib.parse import unquote

import pytest

from app.accounts.models import User
from app.notes import service, sharing
from app.notes.markdown import render
from app.notes.syntax import MAX_BLOCKS, MAX_DELIMITERS
from app.notes.texts import name_and_excerpt, tags_of, tick_of, ticked
from tests.visitor import Visitor

# In what is rendered ⟦…⟧ is a link to the address or the tag in it, and ☐ and ☑ are boxes.
EMPHASIS = [
    ("**마크다운(Markdown)**의", "<strong>마크다운(Markdown)</strong>의"),
    ('**"책"**처럼', '<strong>"책"</strong>처럼'),
    ("**`app.py`**를", "<strong><code>app.py</code></strong>를"),
    ("**이 [링크](https://e.kr/)**만", '<strong>이 <a href="https://e.kr/">링크</a></strong>만'),
    ("~~(취소)~~를", "<s>(취소)</s>를"),
    ("**굵게**글", "<strong>굵게</strong>글"),
    ("글**굵게**", "글<strong>굵게</strong>"),
    ("*(기울임)*은", "<em>(기울임)</em>은"),
    ('***"둘 다"***는', '<em><strong>"둘 다"</strong></em>는'),
    ("**50%**를", "<strong>50%</strong>를"),
    ("**A.**는", "<strong>A.</strong>는"),
    ("**안녕(hello)**하세요.", "<strong>안녕(hello)</strong>하세요."),
    ("**「달」**이", "<strong>「달」</strong>이"),
    ("**太字（ふとじ）**です", "<strong>太字（ふとじ）</strong>です"),
    ("これは**「重要」**です", "これは<strong>「重要」</strong>です"),
    ("税込**¥10,000**で", "税込<strong>¥10,000</strong>で"),
    ("**真，**她", "<strong>真，</strong>她"),
    ("a**あ、**b", "a<strong>あ、</strong>b"),
    ("**한국어**(Korean)", "<strong>한국어</strong>(Korean)"),
    ("(**한국어**)는", "(<strong>한국어</strong>)는"),
    ("「**한국어**」는", "「<strong>한국어</strong>」는"),
    ("**'따옴표'**와 **“인용”**을", "<strong>'따옴표'</strong>와 <strong>“인용”</strong>을"),
    ("**첫째!** **둘째?**라고", "<strong>첫째!</strong> <strong>둘째?</strong>라고"),
    ("**a.**b", "**a.**b"),
    ('a**"b"**c', 'a**"b"**c'),
    ("**bold**word", "<strong>bold</strong>word"),
    ("**(k)**ᄏ", "<strong>(k)</strong>ᄏ"),
    ("a**🈷**a", "a<strong>🈷</strong>a"),
    ("가**😀**나", "가<strong>😀</strong>나"),
    ("a**😀**a", "a**😀**a"),
    ('__"책"__ 은', '<strong>"책"</strong> 은'),
    ('__"책"__은', '__"책"__은'),
    ("_(책)_은", "_(책)_은"),
    ("가_나_다", "가_나_다"),
    ("snake_case_name __init__", "snake_case_name <strong>init</strong>"),
    ("** 아님 ** 그리고 **", "** 아님 ** 그리고 **"),
    ("**닫히지 않은 글", "**닫히지 않은 글"),
    ("이름*, 전화*, 주소*", "이름*, 전화*, 주소*"),
    ("(1)*, (2)*, (3)*", "(1)*, (2)*, (3)*"),
    ("이름*， 電話*、住所*。", "이름*， 電話*、住所*。"),
    ("좋아요~~!! 네~~ 안녕~~", "좋아요~~!! 네~~ 안녕~~"),
    ("**C#**、**F#**は *.txt", "<strong>C#</strong>、<strong>F#</strong>は *.txt"),
    ("**.env**를", "<strong>.env</strong>를"),
    ("*^^* 좋아 *^_^* (*^▽^*)", "*^^* 좋아 *^_^* (*^▽^*)"),
    ("네*^^*고마워 *^^*", "네*^^*고마워 *^^*"),
    ("*좋아*^^ *아주 좋아^^* _네_^^", "<em>좋아</em>^^ <em>아주 좋아^^</em> <em>네</em>^^"),
    ("(*´∀｀*) (*≧ω≦) 네", "(*´∀｀*) (*≧ω≦) 네"),
    ("^_^ 좋아 ^_^ >_< 앗 >_< -_- 싫어 -_-;;", "^_^ 좋아 ^_^ &gt;_&lt; 앗 &gt;_&lt; -_- 싫어 -_-;;"),
]  # fmt: skip

ARITHMETIC = [
    ("3*4=12, 5*6=30", "3*4=12, 5*6=30"),
    ("2 * 3 * 4", "2 * 3 * 4"),
    ("2**3**4", "2**3**4"),
    ("3*x+4*y", "3*x+4*y"),
    ("2*(3+4)*5", "2*(3+4)*5"),
    ("(1)*2*(3)", "(1)*2*(3)"),
    ("1,000*3=3,000, 2*4", "1,000*3=3,000, 2*4"),
    ("5_000_000", "5_000_000"),
    ("10~20~30", "10~20~30"),
    ("3~~5일, 7~~9일", "3~~5일, 7~~9일"),
    ("x**2 + y**2", "x**2 + y**2"),
    ("우유*2, 계란*3", "우유*2, 계란*3"),
    ("1,000원*3개=3,000원, 500원*2개=1,000원", "1,000원*3개=3,000원, 500원*2개=1,000원"),
    ("３*４＝１２、５*６＝３０", "３*４＝１２、５*６＝３０"),
    ("(a+b)*(c+d)*(e+f)", "(a+b)*(c+d)*(e+f)"),
    ("2*π, 3*π", "2*π, 3*π"),
    ("가**2**나 글*굵게*글", "가<strong>2</strong>나 글<em>굵게</em>글"),
    ("**x**2", "<strong>x</strong>2"),
    ("a*b*c", "a<em>b</em>c"),
    ("un*frigging*believable", "un<em>frigging</em>believable"),
    ("**2026**년", "<strong>2026</strong>년"),
    ("**1번**과 **2번**", "<strong>1번</strong>과 <strong>2번</strong>"),
    ("*3*은 *4*의", "<em>3</em>은 <em>4</em>의"),
    ("~~10~~ 20", "<s>10</s> 20"),
]  # fmt: skip

LISTS = [
    ("2026. 11. 25. 회의", "2026. 11. 25. 회의"),
    ("1986. A great year", "1986. A great year"),
    ("11. 25. 회의", "11. 25. 회의"),
    ("3. 1. 만세", "3. 1. 만세"),
    ("11.25. 회의", "11.25. 회의"),
    ("11. 25(수) 회의", "11. 25(수) 회의"),
    ("25. 11. 25. 회의", "25. 11. 25. 회의"),
    ("2026) a", "2026) a"),
    ("1000. a", "1000. a"),
    ("0. zero", '<ol start="0"><li>zero</li></ol>'),
    ("1. one\n2. two", "<ol><li>one</li><li>two</li></ol>"),
    ("10) ten", '<ol start="10"><li>ten</li></ol>'),
    ("1. a\n2026. b", "<ol><li>a<br>2026. b</li></ol>"),
    ("1. a\n\n2026. b", "<ol><li>a</li></ol><p>2026. b</p>"),
    ("1. a\n\n2026. 11. 25. b", "<ol><li>a</li></ol><p>2026. 11. 25. b</p>"),
    ("- a\n  1. b\n\n  3. 1. c", "<ul><li><p>a</p><ol><li>b</li></ol><p>3. 1. c</p></li></ul>"),
    ("- a\n\n2026. b\n- c", "<ul><li>a</li></ul><p>2026. b</p><ul><li>c</li></ul>"),
    ("1. 회의\n11. 25. 마감\n2. 둘", "<ol><li>회의<br>11. 25. 마감</li><li>둘</li></ol>"),
    ("- 11. 25. 회의", "<ul><li>11. 25. 회의</li></ul>"),
    ("> 2026. 1. 2. 인용", "<blockquote><p>2026. 1. 2. 인용</p></blockquote>"),
    ("3. 2.5 kg", '<ol start="3"><li>2.5 kg</li></ol>'),
    ("1. 버전 2.0. 다음", "<ol><li>버전 2.0. 다음</li></ol>"),
    ("회의\n2026. 11. 25. 저녁", "회의<br>2026. 11. 25. 저녁"),
    ("10. 3 개천절\n10. 9 한글날", '<ol start="10"><li>3 개천절</li><li value="10">9 한글날</li></ol>'),
    ("3. a\n2. b\n1. c", '<ol start="3"><li>a</li><li value="2">b</li><li value="1">c</li></ol>'),
    ("1. a\n   1. x\n   3. y\n2. b", '<ol><li>a<ol><li>x</li><li value="3">y</li></ol></li><li>b</li></ol>'),
    ("1. a\n1. b\n1. c", "<ol><li>a</li><li>b</li><li>c</li></ol>"),
    ("- a\n\t- b\n\t\t- c", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ul>"),
    ("1. a\n\t1. b", "<ol><li>a<ol><li>b</li></ol></li></ol>"),
    ("- a\n\t- [ ] b", "<ul><li>a<ul><li>☐b</li></ul></li></ul>"),
    ("-\t[x] a", "<ul><li>☑a</li></ul>"),
]  # fmt: skip

BLOCKS = [
    (">_< 앗", "&gt;_&lt; 앗"),
    ("네\n>ㅁ< >.<", "네<br>&gt;ㅁ&lt; &gt;.&lt;"),
    (">인용", "<blockquote><p>인용</p></blockquote>"),
    ("> <b>", "<blockquote><p>&lt;b&gt;</p></blockquote>"),
    ("><b>", "<blockquote><p>&lt;b&gt;</p></blockquote>"),
    ("~~~~~~~~~~\n제목\n~~~~~~~~~~\n글", "~~~~~~~~~~<br>제목<br>~~~~~~~~~~<br>글"),
    ("글\n~~~ 할 일 ~~~\n- a", "<p>글<br>~~~ 할 일 ~~~</p><ul><li>a</li></ul>"),
    ("~~~\n#a\n~~~", "<pre><code>#a</code></pre>"),
    ("~~~~ js\n~~~\n~~~~", '<pre><code class="language-js">~~~</code></pre>'),
]

ADDRESSES = [
    ("https://e.com/wiki/Cowboy_Bebop_(2021_TV_series)", "⟦https://e.com/wiki/Cowboy_Bebop_(2021_TV_series)⟧"),
    ("https://e.com/app/__init__.py __b__", "⟦https://e.com/app/__init__.py⟧ <strong>b</strong>"),
    ("https://e.com/?cm_re=m65-_-26", "⟦https://e.com/?cm_re=m65-_-26⟧"),
    ("https://x.com/a*b*c *d*", "⟦https://x.com/a*b*c⟧ <em>d</em>"),
    ("https://e.com/~/a~~b~~c ~~d~~", "⟦https://e.com/~/a~~b~~c⟧ <s>d</s>"),
    ("(https://e.com/a)", "(⟦https://e.com/a⟧)"),
    ("https://한국.kr/경로", '<a href="https://xn--3e0b707e.kr/%EA%B2%BD%EB%A1%9C">https://한국.kr/경로</a>'),
    ("「https://e.com/a」", "「⟦https://e.com/a⟧」"),
    ("https://e.com/page를 https://e.com에서", "⟦https://e.com/page⟧를 ⟦https://e.com⟧에서"),
    ("**https://e.com/a**를", "<strong>⟦https://e.com/a⟧</strong>를"),
    ("*https://e.com/a*", "<em>⟦https://e.com/a⟧</em>"),
    ("\\*https://e.com/a\\*", "*⟦https://e.com/a⟧*"),
    ("[https://e.com/a_b_c](https://e.com/d_e)", '<a href="https://e.com/d_e">https://e.com/a_b_c</a>'),
    ("[a *b* https://e.com/c*d*e](https://e.com/)", '<a href="https://e.com/">a <em>b</em> https://e.com/c*d*e</a>'),
    ("[x https://e.com/a", "[x ⟦https://e.com/a⟧"),
    ("![x](https://e.com/a.png)", '!<a href="https://e.com/a.png">x</a>'),
    ("`https://e.com/a`", "<code>https://e.com/a</code>"),
    ("```\nhttps://e.com/a\n```", "<pre><code>https://e.com/a</code></pre>"),
    ("<https://e.com/a>", "⟦https://e.com/a⟧"),
    ("https://e.com/a\nhttps://e.com/b", "⟦https://e.com/a⟧<br>⟦https://e.com/b⟧"),
    ("|https://e.com/a|\n|-|", '<table><thead><tr><th scope="col">⟦https://e.com/a⟧</th></tr></thead></table>'),
    ("# https://e.com/#a", "<h2>⟦https://e.com/#a⟧</h2>"),
    ("- https://e.com/a_b_c", "<ul><li>⟦https://e.com/a_b_c⟧</li></ul>"),
    ("e.com a@e.com ftp://e.com", "e.com a@e.com ftp://e.com"),
    ("javascript://e.com", "javascript://e.com"),
]  # fmt: skip

TAGS = [
    ("#a#b", "⟦#a⟧⟦#b⟧"),
    ("#a,#b #c/#d #e·#f", "⟦#a⟧,⟦#b⟧ ⟦#c⟧/⟦#d⟧ ⟦#e⟧·⟦#f⟧"),
    ("\"#책\" '#책' ‘#책’ “#책”", "\"⟦#책⟧\" '⟦#책⟧' ‘⟦#책⟧’ “⟦#책⟧”"),
    ("(#a) [#a] 「#a」 『#a』 《#a》 ［#a］ ＂#a＂", "(⟦#a⟧) [⟦#a⟧] 「⟦#a⟧」 『⟦#a⟧』 《⟦#a⟧》 ［⟦#a⟧］ ＂⟦#a⟧＂"),
    ("#\u3164 #\ufeff #a\u3164 #\u061c #\U000e0020", "#\u3164 #\ufeff ⟦#a⟧\u3164 #\u061c #\U000e0020"),
    ("<#a>", "&lt;#a&gt;"),
    ("#c++ #C++17 #g++", "⟦#c++⟧ ⟦#C++17⟧ ⟦#g++⟧"),
    ("#c# #F#, #책#", "⟦#c#⟧ ⟦#F#⟧, ⟦#책⟧#"),
    ("#.net #R&D #node.js", "#.net ⟦#R⟧&amp;D ⟦#node⟧.js"),
    ("#👨\u200d👩\u200d👧 #🏳\ufe0f\u200d🌈 #🇰🇷 #👍🏽", "⟦#👨\u200d👩\u200d👧⟧ ⟦#🏳\ufe0f\u200d🌈⟧ ⟦#🇰🇷⟧ ⟦#👍🏽⟧"),
    ("#1\ufe0f\u20e3 #\ufe0f\u20e3", "⟦#1\ufe0f\u20e3⟧ #\ufe0f\u20e3"),
    ("#fff #1a2b3c #FAFAFA #aabbcc #12ab #0f08", "#fff #1a2b3c #FAFAFA #aabbcc #12ab #0f08"),
    ("#fade #cafe #add #b2b #abcde #3d", "⟦#fade⟧ ⟦#cafe⟧ ⟦#add⟧ ⟦#b2b⟧ ⟦#abcde⟧ ⟦#3d⟧"),
    ("#12 #1st #2026년", "#12 ⟦#1st⟧ ⟦#2026년⟧"),
    ("`#a` ``#b`` #c", "<code>#a</code> <code>#b</code> ⟦#c⟧"),
    ("```\n#include\n```", "<pre><code>#include</code></pre>"),
    ("```\ncode\n\n#a #b", "<pre><code>code</code></pre><p>⟦#a⟧ ⟦#b⟧</p>"),
    ("https://e.com/#top #a", "⟦https://e.com/#top⟧ ⟦#a⟧"),
    ("# #a", "<h2>⟦#a⟧</h2>"),
    ("## #a b #c ##", "<h2>⟦#a⟧ b ⟦#c⟧</h2>"),
    ("#a", "⟦#a⟧"),
    ("##a # #", "##a # #"),
    ("[#a](https://e.com) #b", '<a href="https://e.com">#a</a> ⟦#b⟧'),
    ("\\#a #b", "#a ⟦#b⟧"),
    ("*#a* **b**#c", "<em>#a</em> <strong>b</strong>#c"),
    ("a#b a&#39; &#x27;", "a#b a&amp;#39; &amp;#x27;"),
    ("- [ ] #a", "<ul><li>☐⟦#a⟧</li></ul>"),
    ("> #a", "<blockquote><p>⟦#a⟧</p></blockquote>"),
    ("|#a|\n|-|", '<table><thead><tr><th scope="col">⟦#a⟧</th></tr></thead></table>'),
    ("#snake_case_ _b_", "⟦#snake_case_⟧ <em>b</em>"),
    ("x/#a -#a", "x/#a -#a"),
]  # fmt: skip

OUR_EXAMPLES = [
    ("123456789. ok", "123456789. ok"),
    ("5*6*78", "5*6*78"),
    ("<https://foo.bar/baz bim>", "&lt;⟦https://foo.bar/baz⟧ bim&gt;"),
    ("< https://foo.bar >", "&lt; ⟦https://foo.bar⟧ &gt;"),
    ("https://example.com", "⟦https://example.com⟧"),
]


def shown(text: str) -> str:
    """Return the HTML in short: a paragraph without its tags, and links and boxes as signs."""
    html = str(render(text, "/t/")).replace("\n", "").replace(' rel="nofollow noopener noreferrer ugc"', "")
    html = re.sub(r'<label class="task"><input type="checkbox" disabled( checked)?> <span>', _box, html)
    html = re.sub(r'<a href="/t/([^"]+)">#([^<]+)</a>', _tag, html.replace("</span></label>", ""))
    html = re.sub(r'<a href="([^"]+)">\1</a>', r"⟦\1⟧", html).replace("&quot;", '"')
    paragraph = re.fullmatch(r"<p>((?:(?!<p>).)*)</p>", html)
    return paragraph[1] if paragraph else html


def _box(match: re.Match[str]) -> str:
    return "☑" if match[1] else "☐"


def _tag(match: re.Match[str]) -> str:
    return f"⟦#{match[2]}⟧" if unquote(match[1]) == match[2].lower() else match[0]


@pytest.mark.parametrize("table", [EMPHASIS, ARITHMETIC, LISTS, BLOCKS, ADDRESSES, TAGS, OUR_EXAMPLES])
def test_it_is_read_as_it_is_meant(table: list[tuple[str, str]]) -> None:
    assert [(text, shown(text)) for text, _ in table] == table


def tags_on_page(text: str) -> list[str]:
    links = re.findall(r'<a href="/t/[^"]+">#([^<]+)</a>', str(render(text, "/t/")))
    return sorted({unescape(link).lower() for link in links})


PARTS = [
    "#a", "#책", "#c++", "#c#", "#fff", "#1", "#👨\u200d👩", "#", "##", "\\", "`", "``", "```\n", "\n", "\n\n",
    " ", "\t", "https://e.com/", "https://e.com/#top", "[", "](https://e.com)", "(", ")", "<", ">", "**", "_",
    "~~", "|", "|-|\n", "- ", "- [ ] ", "1. ", "> ", "# ", "가", "a", "'", "\"", "「", "」", "&", ",", "/", "를",
    "x" * 31,
]  # fmt: skip


def test_the_page_links_the_tags_that_the_index_has() -> None:
    random = Random(7)  # noqa: S311 - the same texts each time
    texts = [text for table in (EMPHASIS, ARITHMETIC, LISTS, BLOCKS, ADDRESSES, TAGS) for text, _ in table]
    texts += ["".join(pair) for pair in itertools.product(PARTS, PARTS)]
    texts += ["".join(random.choices(PARTS, k=random.randint(3, 14))) for _ in range(1500)]
    texts += ["#a *" * MAX_DELIMITERS, "*" * MAX_DELIMITERS + "\n\n#a *b*", "#a " * 2 * MAX_DELIMITERS]
    texts += ["#a\n" * (MAX_BLOCKS + 2)]
    assert [text for text in texts if tags_on_page(text) != tags_of("", text)] == []
    assert sum(bool(tags_of("", text)) for text in texts) > len(texts) / 5


def test_a_tag_of_a_title_is_one_and_one_of_an_address_is_not() -> None:
    assert tags_of("#a `#b` https://e.com/#c", "*#d*") == ["a"]


def test_the_excerpt_keeps_dates_arithmetic_and_addresses_and_leaves_out_numbers_of_lists() -> None:
    for text, excerpt in [
        ("2026. 11. 25. 회의\n11. 25. 회의\n1986. A year", "2026. 11. 25. 회의\n11. 25. 회의\n1986. A year"),
        ("1. one\n\t10) ten\n- 3. 1. 만세", "one\nten\n3. 1. 만세"),
        ("3*4=12, 5*6=30, 2**3**4, *soft*", "3*4=12, 5*6=30, 2**3**4, soft"),
        ("이름*, 주소* *^^* 네~~! 좋아~~ *b*", "이름*, 주소* *^^* 네~~! 좋아~~ b"),
        ("https://e.com/a*b*c/__init__.py **b**", "https://e.com/a*b*c/__init__.py b"),
    ]:
        assert name_and_excerpt("Title", text) == ("Title", excerpt)


def test_a_task_that_is_nested_by_tabs_is_ticked() -> None:
    for line in ["\t- [ ] b", "\t\t1. [ ] b", ">\t- [ ] b", "-\t[ ]\tb"]:
        tick = tick_of([line], 0)
        assert tick, line
        assert ticked(line, tick) == line.replace("[ ]", "[x]")
    assert 'name="task"' in render("- a\n\t- [ ] b", "/t/", can_tick=True)


NOTICE = "some of it is shown as it was typed"


def test_what_costs_too_much_is_shown_as_it_was_typed() -> None:
    table = "|a" * 50 + "|\n" + "|-" * 50 + "|\n" + "|\n" * MAX_DELIMITERS
    for text, cut in [
        ("*a* " * (MAX_DELIMITERS // 2), ""),
        ("*a* " * (MAX_DELIMITERS // 2) + "*", "*a* *a*"),
        ("**a**\n\n" + "*b* " * MAX_DELIMITERS, "*b* *b*"),
        ("*a* #b https://e.com/ " * MAX_DELIMITERS, "*a* #b https://e.com/"),
        ("- a\n" * (MAX_BLOCKS // 2), ""),
        ("* a\n" * (MAX_BLOCKS // 2 - 1) + "* **b**", ""),  # bullets are no delimiters
        ("- a\n" * (MAX_BLOCKS // 2 + 1), "- a"),
        ("> - > - a\n" * (MAX_BLOCKS // 4), "&gt; - &gt; - a"),
        (table[: table.rindex("|")], "|a|a"),
    ]:
        html = render(text, "/t/", cut_notice=NOTICE)
        assert (NOTICE in html, cut in html) == (bool(cut), True), text[:20]
    assert "<strong>a</strong>" in render("**a**\n\n" + "*b* " * MAX_DELIMITERS, "/t/"), (
        "the paragraphs above it are not"
    )


def test_each_page_of_a_note_says_that_it_is_shown_as_it_was_typed(signed_in: Visitor, alice: User) -> None:
    wide = "|a" * 20 + "|\n" + "|-" * 20 + "|\n" + "|\n" * 500  # each row has twenty cells
    for text, is_cut in [(wide, True), (wide.replace("-", "x"), False)]:
        note_id = service.create_note(alice.id, "", text)
        link = f"/s/{sharing.share_note(alice.id, note_id)}"
        pages = [signed_in.get(url) for url in (f"/notes/{note_id}", link)]
        pages.append(signed_in.submit("/notes/preview", title="", content=text))
        assert [NOTICE in page.text for page in pages] == [is_cut] * 3
