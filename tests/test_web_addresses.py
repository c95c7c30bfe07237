"""Web addresses in plain text: whole, and without what Korean, Japanese and English write around them."""

import re

import pytest

from app.web_addresses import MOST_OF_A_WORD, addresses_in

# In each text the address is what stands between ⟦ and ⟧.
TEXTS = [
    # whole
    "⟦https://en.wikipedia.org/wiki/Cowboy_Bebop_(2021_TV_series)⟧",
    "⟦https://github.com/a/b/blob/main/app/__init__.py⟧",
    "⟦https://e.com/?cm_re=m65-_-26&b=c#top⟧",
    "⟦https://x.com/a*b*c⟧ ⟦https://e.com/~a/b~c~d⟧",
    "⟦https://e.com⟧ ⟦http://e.com/⟧ ⟦HTTPS://E.COM/A⟧ ⟦http://localhost:5000/a⟧ ⟦http://127.0.0.1:8000⟧",
    "⟦https://ko.wikipedia.org/wiki/한국어⟧ ⟦https://ko.wikipedia.org/wiki/%ED%95%9C%EA%B5%AD⟧",
    "⟦https://namu.wiki/w/2024년⟧ ⟦https://ko.wikipedia.org/wiki/2002년_FIFA_월드컵⟧",
    "⟦https://한국.kr/경로⟧ ⟦https://e.kr/?q=한국어를⟧ ⟦https://ja.wikipedia.org/wiki/日本語の歴史⟧",
    "⟦https://ja.wikipedia.org/wiki/はてな⟧ ⟦https://münchen.de/ä⟧ ⟦https://abc한국.kr/a⟧",
    "⟦https://zh.wikipedia.org/wiki/《紅樓夢》⟧ ⟦https://e.com/a,b;c=d:e@f+g!h⟧ ⟦https://e.com/it's⟧",
    "⟦https://web.archive.org/web/2020/https://e.com/a⟧ ⟦https://e.com/a...b⟧ ⟦https://e.com/a[1]⟧",
    "⟦https://ko.wikipedia.org/wiki/3·1_운동⟧ ⟦https://e.kr/문서를⟧",
    "⟦https://ko.wikipedia.org/wiki/은⟧ ⟦https://namu.wiki/w/가(나)⟧ ⟦https://namu.wiki/w/도⟧, ⟦https://e.kr/이(가)⟧를",
    "⟦mailto:a.b@e.kr⟧",
    # punctuation around it
    "(⟦https://e.com/a⟧) [⟦https://e.com/a⟧] {⟦https://e.com/a⟧} <⟦https://e.com/a⟧>",
    "\"⟦https://e.com/a⟧\" '⟦https://e.com/a⟧' `⟦https://e.com/a⟧` “⟦https://e.com/a⟧” ‘⟦https://e.com/a⟧’",
    "「⟦https://e.com/a⟧」 『⟦https://e.com/a⟧』 【⟦https://e.com/a⟧】 《⟦https://e.com/a⟧》 〈⟦https://e.com/a⟧〉",
    "(⟦https://e.com/a⟧). ⟦https://e.com/a⟧, ⟦https://e.com/a⟧! ⟦https://e.com/a⟧? ⟦https://e.com/a⟧; ⟦https://e.com/a⟧:",
    "⟦https://e.com/a⟧。 ⟦https://e.com/a⟧、次 ⟦https://e.com/a⟧，下 ⟦https://e.com/a⟧… ⟦https://e.com/a⟧... （⟦https://e.com/a⟧）",
    "⟦https://e.com/a⟧」를 ⟦https://e.com/a_(b)⟧) ⟦https://e.com/a⟧\u200b ⟦https://e.com⟧… ⟦https://e.com/⟧》",
    "**⟦https://e.com/a⟧** *⟦https://e.com/a⟧* _⟦https://e.com/a⟧_ ~~⟦https://e.com/a⟧~~ **⟦https://e.com/a⟧**(둘)",
    "_⟦https://e.com⟧_ __⟦https://e.com⟧__ ⟦https://e.com/a⟧\u00ad ⟦https://e.com/a⟧\u3164 ⟦https://e.com/a⟧—",
    "주소:⟦https://e.com/a⟧ 詳細は⟦https://e.com/a⟧ 여기⟦https://e.com/a⟧",
    # another one right behind it
    "《书》当当网⟦http://t.cn/RUy3HJN⟧《书》亚马逊⟦http://t.cn/RUyQxlU⟧ ⟦http://t.cn/R⟧（分享自@酷6网） ⟦https://e.com/a⟧「인용」",
    "⟦https://e.com/a⟧·⟦https://e.com/b⟧ ⟦https://e.com/a⟧→⟦https://e.com/b⟧ ⟦https://e.com/a⟧|⟦https://e.com/b⟧,⟦https://e.com/c⟧",
    "⟦https://e.com/a?u=https://e.com/b⟧ ⟦https://e.com/a/https://e.com/b⟧ ⟦https://e.com/ahttps://e.com/b⟧ ⟦https://e.com/a→b⟧",
    # particles
    "⟦https://e.com/page⟧를 ⟦https://e.com/page⟧에서는 ⟦https://e.com/page.html⟧입니다. ⟦https://e.com/a⟧(으)로",
    "⟦https://e.com⟧에서 ⟦https://e.com⟧사이트 ⟦https://e.com⟧을. ⟦https://e.com:8000⟧에서 ⟦http://localhost⟧를",
    "⟦https://한국.kr⟧를 ⟦https://한국.kr/⟧에 ⟦https://e.com/docs/⟧에서 (⟦https://e.com/a⟧를) ⟦https://e.com/a⟧의,",
    "⟦https://e.com/a_(b)⟧의 '⟦https://e.com/a⟧'를 **⟦https://e.com/a⟧**를 ⟦https://e.com/?a=1⟧로 ⟦https://e.com/#top⟧이",
    "⟦https://e.com/a⟧라는 ⟦https://e.com/a⟧이라고 ⟦https://e.com/a⟧과 ⟦https://e.com/a⟧부터 ⟦https://e.com/a⟧예요!",
    "⟦https://e.com/a⟧처럼요 ⟦https://e.com/a⟧입니다만 ⟦https://e.com/docs/⟧를 ⟦https://e.com/⟧는 ⟦http://한글.한국⟧에서",
    "⟦https://e.com/a⟧한테서 ⟦https://e.com/a⟧께 ⟦https://e.com/a⟧였습니다. ⟦https://e.com/a⟧이라면 ⟦https://e.com/a⟧죠?",
    "⟦https://e.com/a⟧이지만 ⟦https://e.com/a⟧인데요 ⟦https://e.com/a⟧라던데 ⟦https://e.com/a⟧이었는데 ⟦https://e.com/?q=1⟧에선",
    "⟦https://e.com/a⟧같은 ⟦https://e.com/a⟧말고 ⟦https://e.com/a⟧참고 ⟦https://e.com/a⟧등을 ⟦https://e.com/a⟧ㅋㅋㅋ ⟦https://e.com/a⟧^^",
    "⟦https://namu.wiki/w/같이⟧ ⟦https://namu.wiki/w/참고⟧ ⟦https://namu.wiki/w/ㅋㅋㅋ⟧ ⟦https://e.kr/3등⟧ ⟦https://e.kr/w/K팝⟧",
    "⟦https://e.com/a⟧など ⟦https://e.com/a⟧って ⟦https://e.com/a⟧的文章 ⟦https://zh.wikipedia.org/wiki/目的⟧",
    "⟦https://e.com/a⟧を見る ⟦https://e.com/⟧を ⟦https://e.com⟧の記事 ⟦https://e.com/a.html⟧から",
    # no address
    "e.com www.e.com a@e.com ftp://e.com //e.com http:// https:// https:/e.com javascript:alert(1) xhttps://e.com",
    "https://를 https://( https://- mailto: mailto:a https://.. https://. http://,",
]  # fmt: skip


@pytest.mark.parametrize("marked", TEXTS)
def test_an_address_is_whole_and_nothing_else(marked: str) -> None:
    text = re.sub("[⟦⟧]", "", marked)
    shown, done = "", 0
    for start, end, _ in addresses_in(text):
        shown += f"{text[done:start]}⟦{text[start:end]}⟧"
        done = end
    assert shown + text[done:] == marked


def test_its_url_is_what_href_takes() -> None:
    for text, url in [
        ("https://한국.kr/경로를", "https://xn--3e0b707e.kr/%EA%B2%BD%EB%A1%9C%EB%A5%BC"),
        ("https://e.kr/%EA%B2%BD로", "https://e.kr/%EA%B2%BD"),
        ("「https://e.kr/a?b=c#d」", "https://e.kr/a?b=c#d"),
        ("mailto:a@e.kr로", "mailto:a@e.kr"),
    ]:
        assert [url for _, _, url in addresses_in(text)] == [url], text


def test_a_word_is_tried_a_few_times_only_so_that_the_cost_is_linear() -> None:
    for glued in ["https://e.com/[", "https://e.com/(", "「https://e.com/"]:
        assert len([*addresses_in(glued * 100)]) == MOST_OF_A_WORD, glued
    assert len([*addresses_in("https://e.com/[ " * 100)]) == 100
