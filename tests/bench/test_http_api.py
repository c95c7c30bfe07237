"""The list as JSON is measured only where every peer gives the same one; what is wanted of its cost is told."""

import json
from collections import Counter
from typing import Any

import pytest

from tools.bench.http import api
from tools.bench.http.figures import Turn
from tools.bench.http.statements import Trips


def body(zone: str, **values: Any) -> bytes:
    times = {"created_at": f"2026-11-25T10:00:00{zone}", "updated_at": f"2026-11-25T10:00:00{zone}"}
    note = {"id": 1, "title": "Moon", **times, "archived_at": None, "deleted_at": None}
    return json.dumps({"notes": [{**note, **values}] * 20, "next": "0-1-1"}).encode()


def test_a_peer_may_spell_the_same_json_in_another_way() -> None:
    api.refuse_other("same", (200, body("Z")), (200, body("+00:00")))


@pytest.mark.parametrize(
    "theirs",
    [
        (200, body("Z", title="Sun")),
        (200, body("+09:00")),
        (200, b'{"notes": [], "next": null}'),
        (401, b"{}"),
    ],
)
def test_a_peer_with_another_json_is_refused(theirs: tuple[int, bytes]) -> None:
    with pytest.raises(RuntimeError, match="other"):
        api.refuse_other("other", theirs, (200, body("Z")))


def test_ours_has_to_be_a_whole_page() -> None:
    short = (200, b'{"notes": [], "next": null}')
    with pytest.raises(RuntimeError, match="0 notes"):
        api.refuse_other("wsgi", short, short)


def turn(target: str, work: str, web: float) -> Turn:
    return Turn(target, work, 0, 1.0, [0.01] * 10, Counter(), 100, web, 0.0, 0.01)


def test_the_report_says_what_falls_short() -> None:
    cost = {"ours": 0.2, "wsgi": 0.1, "django": 0.2, "fastapi": 0.4}
    turns = [turn(name, api.LIST, web) for name, web in cost.items()]
    turns += [turn("ours", f"{api.LIST} of {count}", web) for count, web in ((50, 0.2), (50_000, 0.21))]
    trips = {(name, api.LIST): Trips(2, 3) for name in cost}
    told = [line for line in api.table(turns, trips) if line.startswith("- ")]
    assert [line.partition(":")[0] for line in told] == ["- holds", "- FALLS SHORT", "- holds", "- holds"]
    assert told[1].endswith("1.00 of at most 0.67")


def test_a_request_is_one_of_a_program_behind_a_router() -> None:
    [sent] = api.work("list", ["sc_x"]).requests(None)  # type: ignore[arg-type]  # no target differs
    assert sent.startswith(b"GET /api/v1/notes HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer sc_x\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")
