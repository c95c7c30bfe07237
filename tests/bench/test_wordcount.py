"""The measuring of word counts runs, and says by how much ours is faster and smaller."""

import re

import pytest

from tools.bench import wordcount


@pytest.mark.servers
@pytest.mark.minutes
def test_each_row_has_a_ratio_of_seconds_and_one_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    wordcount.main(["--quick"])
    _, _, *rows, long_word = capsys.readouterr().out.splitlines()
    assert len(rows) == len(wordcount.QUICK)
    for row in rows:
        assert len(re.findall(r"\d+\.\d x", row)) == 2
    assert re.search(r"1,300,000 characters: \d+\.\d+ s, \d+ MB", long_word)


@pytest.mark.parametrize("size", [1_000, 300_000])
def test_a_page_has_the_size_it_is_said_to_have(size: int) -> None:
    assert size - 4 < len(wordcount.page(size).encode()) <= size


@pytest.mark.servers
def test_a_reading_measures_itself() -> None:
    seconds, peak = wordcount.measure("ours", wordcount.FIXTURES / "en-faq-packages.html")
    assert 0 < seconds < 60
    assert 10 < peak < 500
