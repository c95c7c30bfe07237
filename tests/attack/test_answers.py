"""`python -m tools.attack.schema` counts the answers that schemathesis wrote down, and says when a run says little."""

import base64
import json
from typing import Any

import pytest
from flask import Flask

from app.web.locale import LANGUAGES
from tools.attack.answers import Answers, read
from tools.attack.schema import CASES, schema_sentences, shortcomings


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
    assert shortcomings(read(GOOD)) == []
    for more, said in (
        (scenario(500), "server error"),
        (scenario(0), "without an answer"),
        (scenario(418, failed="status_code_conformance"), "undescribed"),
        (scenario(200, failed="ignored_auth"), "ignored_auth"),
        (scenario(*[429] * CASES), "rate limits"),
        (scenario(415), "that the document allows"),
        (scenario(*[404] * CASES * 4), "were taken"),
    ):
        assert any(said in each for each in shortcomings(read([*GOOD, more]))), said


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
