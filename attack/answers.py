"""What the answers to generated requests were: read from the events that schemathesis has written (NDJSON)."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

DESCRIBED = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
# Of which kind an answer is told by its first digit; a 429 says nothing about what it kept away.
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
    """

    kinds: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
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
            status = (interaction.get("response") or {}).get("status_code", 0)
            operation = f"{case['method']} {case['path']}"
            self.kinds["429" if status == 429 else KINDS.get(status // 100, "none")] += 1
            self.modes[((case.get("meta") or {}).get("generation") or {}).get("mode", "positive")] += 1
            if 200 <= status < 300:
                self.taken.add(operation)
        for checks in recorded.get("checks", {}).values():
            self.failed.update(check["name"] for check in checks if check["status"] == "failure")


def read(lines: Iterable[str]) -> Answers:
    answers = Answers()
    for line in lines:
        scenario = json.loads(line).get("ScenarioFinished")
        if scenario:
            answers.add(scenario["recorder"])
    return answers
