"""Count what the answers to generated requests were, read from the events that schemathesis has written (NDJSON)."""

import base64
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from app.web.fields import normalize

DESCRIBED = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
# Of which kind an answer is told by its first digit; a 429 says nothing about what it kept away.
SHOWN = 200  # characters of an answer
ILL_FORMED = (400, 405, 413, 415)  # besides a 422 that names the schema: nothing that the document allows gets these
KINDS = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


@dataclass
class Answers:
    """
    Args:
        kinds: how many answers were 2xx, 3xx, 4xx, 5xx, 429 or none.
        modes: how many requests were as the document says (positive), and how many were not (negative).
        failed: for each check how many answers did not pass it.
        asked: the operations of the document that requests were made for.
        taken: the operations that have answered with 2xx.
        schema: the sentences by which a request is refused that is not as the schemas of the document say. Other 422s
            are the rules of forms, which the document tells in words at most.
        by_schema: how many requests of each mode were refused so.
        excused: how many answers failed a check that no document can tell from what is right.
        wronged: what was said to those that are as the document says.
    """

    schema: Collection[str] = ()
    kinds: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    by_schema: Counter[str] = field(default_factory=Counter)
    excused: int = 0
    wronged: Counter[str] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    @property
    def cases(self) -> int:
        return self.kinds.total()

    @property
    def undescribed(self) -> int:
        return sum(self.failed[check] for check in DESCRIBED)

    def add(self, recorded: dict[str, Any]) -> None:
        """Add the requests of a scenario, and what became of them."""
        if " /" in recorded["label"]:  # else it is a sequence of several operations
            self.asked.add(recorded["label"])
        for name, interaction in recorded.get("interactions", {}).items():
            case = recorded["cases"][name]["value"]
            mode = ((case.get("meta") or {}).get("generation") or {}).get("mode", "positive")
            answer = interaction.get("response") or {}
            status = answer.get("status_code", 0)
            operation = f"{case['method']} {case['path']}"
            self.kinds["429" if status == 429 else KINDS.get(status // 100, "none")] += 1
            self.modes[mode] += 1
            if status in ILL_FORMED or (status == 422 and self.names_schema(answer)):
                self.by_schema[mode] += 1
                if mode == "positive":
                    self.wronged[f"{operation}: {status} {text_of(answer)[-SHOWN:]}"] += 1
            if 200 <= status < 300:
                self.taken.add(operation)
        for name, checks in recorded.get("checks", {}).items():
            for check in (check for check in checks if check["status"] == "failure"):
                excused = is_counted_shorter(recorded["cases"][name]["value"], check)
                self.excused += excused
                self.failed.update([] if excused else [check["name"]])

    def names_schema(self, answer: dict[str, Any]) -> bool:
        return any(sentence in text_of(answer) for sentence in self.schema)


def is_counted_shorter(case: dict[str, Any], check: dict[str, Any]) -> bool:
    """Excuse a text that was taken and is too long as it was sent: characters are counted after NFC and trimming."""
    body = case.get("body")
    objects = [each for each in (body if isinstance(body, list) else [body]) if isinstance(each, dict)]
    texts = [text for each in objects for text in each.values() if isinstance(text, str)]
    shorter = any(len(normalize(text).strip()) < len(text) for text in texts)
    return shorter and check["name"] == "negative_data_rejection" and "maxLength" in str(check.get("failure_info"))


def text_of(answer: dict[str, Any]) -> str:
    return base64.b64decode(answer.get("content", {}).get("$base64", "")).decode()


def read(lines: Iterable[str], schema: Collection[str] = ()) -> Answers:
    answers = Answers(schema)
    for line in lines:
        scenario = json.loads(line).get("ScenarioFinished")
        if scenario:
            answers.add(scenario["recorder"])
    return answers
