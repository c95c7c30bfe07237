"""The OpenAPI document says what the API does: every operation is in it, and every example in it works."""

import json
import re
from typing import Any

import pytest
from flask import Flask

from app.api import openapi
from app.api.document import OPERATIONS, Answer
from app.schemas import Body
from tests.api.conftest import Program
from tests.visitor import Visitor


@pytest.fixture
def document(client: Visitor) -> dict[str, Any]:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return json.loads(answer.data)  # type: ignore[no-any-return]


def example_of(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Build the example of an object from those of its fields."""
    if "$ref" in schema:
        return example_of(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if schema.get("type") == "array":
        return [example_of(schema["items"], document)]
    fields = schema.get("properties", {})
    return {name: field["examples"][0] for name, field in fields.items() if "examples" in field}


def test_it_is_openapi_3_1_and_knows_every_operation(app: Flask, document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    told = {
        (method.upper(), re.sub(r"\{(\w+)\}", r"<\1>", path)) for path, of in document["paths"].items() for method in of
    }
    there = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api.") and rule.endpoint not in ("api.openapi", "api.read_document"):
            path = re.sub(r"<\w+:(\w+)>", r"<\1>", rule.rule)
            there |= {(method, path) for method in rule.methods or () if method not in ("HEAD", "OPTIONS")}
    assert told == there


def test_no_two_operations_have_one_name_and_each_says_what_it_does(app: Flask, document: dict[str, Any]) -> None:
    operations = [each for of in document["paths"].values() for each in of.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for each in operations:
        assert "<" not in each["summary"], each["operationId"]
        [[scope]] = each["security"][0].values()
        assert scope in app.extensions["scopes"], each["operationId"]
        assert {"401", "403", "422", "429"} <= each["responses"].keys()
        html = {status for status, response in each["responses"].items() if "text/html" in response.get("content", {})}
        assert html == {"414", "431"}, each["operationId"]  # which the HTTP server gives


def test_every_example_is_taken(app: Flask, program: Program, document: dict[str, Any]) -> None:
    note = program.post("/notes", {"title": "x"}).json["id"]
    todo = program.post("/todos", {"description": "x"}).json["id"]
    tried = 0
    for path, of in document["paths"].items():
        for method, each in of.items():
            content = each.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            place = path.removeprefix("/api/v1").replace("{note_id}", str(note)).replace("{todo_id}", str(todo))
            if "{" in place:
                continue  # of a row that only a feature's own tests make
            example = example_of(content["schema"], document)
            assert example, each["operationId"]
            answer = program.ask(method.upper(), place, example, If_Match="*", Idempotency_Key=each["operationId"])
            assert answer.status_code < 300, (each["operationId"], answer.json)
            tried += 1
    assert tried >= 7


def test_a_client_that_is_made_from_it_sends_nothing_that_was_left_out(document: dict[str, Any]) -> None:
    """Clients send the default that a field has, and an edit of a text would clear the title."""
    for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(document)):
        assert name in document["components"][kind]
        assert f"New{name}" not in document["components"][kind]  # as clients in Go call the constructor of `name`
    operations = [each for of in document["paths"].values() for each in of.values()]
    bodies = {found for each in operations for found in re.findall(r"schemas/(\w+)", str(each.get("requestBody")))}
    assert len(bodies) >= 7
    for name in bodies:
        assert "'default'" not in str(document["components"]["schemas"][name]), name
    for parameter in (parameter for each in operations for parameter in each["parameters"]):
        assert "null" not in str(parameter["schema"]), parameter["name"]


def test_ranges_and_required_headers_are_told(document: dict[str, Any]) -> None:
    [integer, _] = document["components"]["schemas"]["Move"]["properties"]["onto"]["anyOf"]
    assert (integer["minimum"], integer["maximum"]) == (1, 2**63 - 1)
    for kind, is_required in (("note", True), ("todo", False)):  # without it an edit of a note is refused
        [_, if_match] = document["paths"][f"/api/v1/{kind}s/{{{kind}_id}}"]["patch"]["parameters"]
        assert (if_match["name"], if_match["required"]) == ("If-Match", is_required)


def test_an_integer_has_64_bits_or_a_range_of_fewer(document: dict[str, Any]) -> None:
    parts: list[dict[str, Any]] = []
    json.loads(json.dumps(document), object_hook=parts.append)
    integers = [part for part in parts if part.get("type") == "integer"]
    assert len(integers) > 20
    for integer in integers:
        assert integer.get("format") == "int64" or integer["maximum"] < 2**31, integer


def test_an_answer_may_get_new_fields_and_a_request_may_not(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for base, is_open in ((Answer, True), (Body, False)):
        names = {each.__name__ for each in base.__subclasses__()} & schemas.keys()
        assert len(names) > 4
        for name in names:
            assert schemas[name]["additionalProperties"] is is_open, name


def test_it_says_where_the_service_is(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for site, url in (("https://semicircle.example", "https://semicircle.example"), ("", "/")):
        monkeypatch.setitem(app.config, "SITE_URL", site)
        with app.test_request_context():
            assert openapi.made(OPERATIONS, "api")["servers"] == [{"url": url}]


def test_what_is_no_json_is_told(document: dict[str, Any]) -> None:
    operations = [each for path in document["paths"].values() for each in path.values() if "200" in each["responses"]]
    given = {each["operationId"]: [*each["responses"]["200"].get("content", ())] for each in operations}
    assert {name: types for name, types in given.items() if types != ["application/json"]} == {
        "export": ["application/zip"]
    }


def test_its_page_shows_every_operation_and_leads_nowhere_in_vain(client: Visitor, document: dict[str, Any]) -> None:
    page = client.get("/api/v1/docs").text
    assert not re.search(r"style=|<script(?![^>]*src=)|https?://[^/\"]*(cdn|unpkg)", page)
    shown = set(re.findall(r"<h3><code>([A-Z]+ /\S+)</code>", page))
    assert shown == {f"{method.upper()} {path}" for path, of in document["paths"].items() for method in of}
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r' id="([^"]+)"', page))
