"""`make attack` runs against a site of its own, finds what is broken, and says so with its exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.attack.finding import SLOW, Finding
from tools.attack.forms import Form, FormParser
from tools.attack.fuzzing import is_clean
from tools.bench.client import Answer

ROOT = Path(__file__).parents[2]
OURS = {"X-Request-ID": "1"}


@pytest.mark.servers
def test_a_site_that_keeps_its_promises_is_exit_code_0() -> None:
    command = [sys.executable, "-m", "tools.attack", "--quick", "--only", "owners", "--only", "shares"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as promised") == 7


def test_what_is_no_page_of_ours_is_broken() -> None:
    finding = Finding("an attack", "a promise")
    finding.expect_page(Answer(422, 0.1, OURS, b"Please write a title."), "good")
    assert finding.row().startswith("ok")
    trace = Answer(422, 0.1, OURS, b"Traceback (most recent call last):")
    bad = [Answer(500, 0.1, OURS), Answer(0, 0.1, {}), Answer(200, 0.1, {}), Answer(200, SLOW, OURS), trace]
    for answer in bad:
        finding.expect_page(answer, "bad")
    assert (finding.tries, len(finding.broken)) == (1 + len(bad), len(bad))
    assert finding.row().startswith("BROKEN")


@pytest.mark.parametrize("page", [b"<p><script>zqx</script>", b"<img src=x onerror=zqx>", b"50337", b"root:x:0:0:"])
def test_a_value_that_was_run_or_not_escaped_is_not_clean(page: bytes) -> None:
    assert not is_clean(Answer(200, 0.1, OURS, page))
    assert not is_clean(Answer(200, 0.1, {**OURS, "Set-Cookie": "zqx=1"}))
    assert is_clean(Answer(200, 0.1, OURS, b"&lt;script&gt;zqx&lt;/script&gt;"))


def test_every_form_of_a_page_is_found_with_its_fields_and_its_other_addresses() -> None:
    parser = FormParser()
    parser.feed(
        '<form method="post" action="/a"><input name="x" value="1"><textarea name="y"></textarea>'
        '<button formaction="/b">B</button></form><form><select name="z"></select></form><input name="outside">'
    )
    both = {"x": "1", "y": ""}
    assert parser.forms == [Form("/a", both), Form("/b", both), Form("", {"z": ""}, is_post=False)]
