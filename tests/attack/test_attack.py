"""`make attack` runs against a site of its own, finds what is broken, and says so; also of what schemathesis wrote."""

import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.web.locale import LANGUAGES
from tools.attack.answers import Answers, read
from tools.attack.finding import SLOW, Finding
from tools.attack.forms import Form, FormParser
from tools.attack.fuzzing import is_clean
from tools.attack.schema import CASES, schema_sentences, shortcomings
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


def scenario(*statuses: int, failed: str | None = None, mode: str = "positive", text: str = "") -> str:
    """Write a line as schemathesis does, of GETs of one path; of the first the answer fails a check."""
    cases: dict[str, Any] = {}
    interactions: dict[str, Any] = {}
    for number, status in enumerate(statuses):
        value = {"method": "GET", "path": "/api/v1/notes", "meta": {"generation": {"mode": mode}}}
        cases[str(number)] = {"value": value}
        answer = {"status_code": status, "content": {"$base64": base64.b64encode(text.encode()).decode()}}
        interactions[str(number)] = {"response": answer if status else None}
    checks = {"0": [{"name": failed or "not_a_server_error", "status": "failure" if failed else "success"}]}
    recorded = {"label": "GET /api/v1/notes", "cases": cases, "interactions": interactions, "checks": checks}
    return json.dumps({"ScenarioFinished": {"recorder": recorded}})


GOOD = [scenario(*[200, 404] * CASES), scenario(*[415] * CASES, mode="negative")]


def test_answers_are_counted_by_kind_and_other_events_are_passed_over() -> None:
    answers = read(['{"EngineStarted": {}}', scenario(200, 204, 404, 429, 500, 0), scenario(422, mode="negative")])
    assert answers.kinds == {"2xx": 2, "4xx": 2, "429": 1, "5xx": 1, "none": 1}
    assert (answers.cases, answers.modes) == (7, {"positive": 6, "negative": 1})
    assert answers.taken == {"GET /api/v1/notes"}


def test_what_is_wrong_is_said() -> None:
    good = read(GOOD)
    assert shortcomings(good) == []
    for more, said in (
        (scenario(500), "server error"),
        (scenario(0), "without an answer"),
        (scenario(418, failed="status_code_conformance"), "undescribed"),
        (scenario(200, failed="ignored_auth"), "ignored_auth"),
        (scenario(*[429] * CASES), "rate limits"),
        (scenario(415), "that the document allows"),
        (scenario(*[404] * CASES * 4), "were taken"),
    ):
        answers = copy.deepcopy(good)
        answers.add(json.loads(more)["ScenarioFinished"]["recorder"])
        assert any(said in each for each in shortcomings(answers)), said


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_a_refusal_by_a_schema_is_told_from_one_by_a_rule(app: Flask, mode: str) -> None:
    sentences = schema_sentences(app)
    assert len(sentences) == 3 * len(LANGUAGES)
    by_rule, by_schema = "Please write a title.", sorted(sentences)[0]
    answers = read([scenario(422, text=text, mode=mode) for text in (by_rule, by_schema)], sentences)
    assert answers.by_schema == {mode: 1}
    assert len(answers.wronged) == (mode == "positive")


@pytest.mark.parametrize(("title", "excused"), [("\r" + "x" * 50, 1), ("e\u0301" * 26, 1), ("x" * 51, 0)])
def test_a_text_is_as_long_as_it_is_after_it_was_trimmed(title: str, excused: int) -> None:
    recorded = json.loads(scenario(200, failed="negative_data_rejection", mode="negative"))["ScenarioFinished"][
        "recorder"
    ]
    recorded["cases"]["0"]["value"]["body"] = {"title": title}
    recorded["checks"]["0"][0]["failure_info"] = {"failure": {"message": "violates `maxLength`"}}
    answers = Answers()
    answers.add(recorded)
    assert (answers.excused, answers.failed.total()) == (excused, 1 - excused)


def test_a_run_that_says_little_is_no_success() -> None:
    assert any("fewer than" in each for each in shortcomings(read([])))
    assert any("negative" in each for each in shortcomings(read([scenario(*[200] * CASES)])))
    answers = read(GOOD)
    answers.asked.add("PUT /api/v1/notes/{note_id}/pin")
    assert "PUT /api/v1/notes/{note_id}/pin was never taken" in shortcomings(answers)
