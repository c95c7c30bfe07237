"""Each value is taken as the document spells it, in every operation; a body as JSON in UTF-8, uncompressed."""

import gzip
import json
import zlib

import pytest
from flask import Flask

from tests.api.conftest import Program, pointers
from tests.api.test_queries import operations
from tests.database import same_row_counts

DATES: list[object] = [
    "1764547200", "20261201", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00", "2026-W49-2", "2026-335", "2026-12-1",
    " 2026-12-01", "2026-12-01 ", "2026-12-01\n", "2026/12/01", "01.12.2026", "２０２６-12-01", "-2026-12-01",
    "2026-02-30", "today", "", 1764547200, 1764547200.0, 20261201, 0, True, [], {}, ["2026-12-01"],
]  # fmt: skip
# Wrong values for a field of each type, and format.
WRONG: dict[str, list[object]] = {
    "string": [1, 1.5, True, [], {}, ["x"]],
    "date": DATES,
    "boolean": ["true", "false", "yes", "1", "", 0, 1, 1.0, [], {}],
    "int64": ["1", "1.0", "", "x", 1.5, 2**63, 10**30, True, False, [], {}],
}
WRONG_IN_URL = {
    "integer": ["", "05", "+5", "%205", "5%20", "5_0", "5,0", "0x5", "1e1", "5.5", "%D9%A5", "five", "true", "null"],
    "number": ["", "05", "+1", "%201", "1_0", "1,5", ".5", "1.", "0x1", "nan", "inf", "-1", "1e999", "%D9%A1", "null"],
    "boolean": ["", "yes", "no", "on", "off", "t", "f", "y", "n", "2", "-1", "01", "%20true", "wahr", "null"],
}
RIGHT_IN_URL = {
    "integer": ["5", "5.0"],
    "number": ["0", "0.0", "0.01", "1e-2"],
    "boolean": ["true", "false", "True", "FALSE", "1", "0"],
}


@pytest.mark.usefixtures("no_limits")
def test_a_value_of_another_type_or_spelling_is_refused_by_name(app: Flask, program: Program) -> None:
    tried = set()
    with same_row_counts():
        for method, path, _, _, fields in operations(app):
            example = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
            for name, field in fields.items():
                kinds = {each.get("format") or each["type"] for each in field.get("anyOf", [field])}
                [kind] = kinds - {"null"}
                tried.add(kind)
                for value in [*WRONG[kind], *([None] if "null" not in kinds else [])]:
                    body = {**example, name: value}
                    answer = program.ask(method, path, [body] if path == "/notes/batch" else body, If_Match="*")
                    assert answer.status_code == 422, (path, body)
                    assert pointers(answer)[0].endswith(f"/{name}"), (path, body)
    assert tried == WRONG.keys()


def test_a_parameter_is_a_number_or_a_boolean_as_json_writes_it(app: Flask, program: Program) -> None:
    tried = [(path, *each) for _, path, query, *_ in operations(app) for each in query.items()]
    for path, name, schema in tried:
        for value in WRONG_IN_URL.get(schema["type"], ()):
            answer = program.get(f"{path}?{name}={value}")
            assert (answer.status_code, pointers(answer)) == (422, [name]), (path, name, value)
        for value in RIGHT_IN_URL.get(schema["type"], ()):
            assert program.get(f"{path}?{name}={value}").status_code in (200, 404), (path, name, value)
    assert {"integer", "boolean"} <= {schema["type"] for *_, schema in tried}


NOTE = json.dumps({"title": "반달"}, ensure_ascii=False).encode()
UTF_8 = b"\xef\xbb\xbf"


@pytest.mark.parametrize("path", ["/notes", "/notes/batch"])
def test_a_body_is_json_in_utf_8_that_is_not_compressed(program: Program, path: str) -> None:
    note = b"[" + NOTE + b"]" if path.endswith("batch") else NOTE
    asked: list[tuple[bytes, str, int]] = [
        *((UTF_8 + note, coding, 201) for coding in ("", "identity", "UTF-8", "none")),
        *((gzip.compress(note), coding, 415) for coding in ("gzip", "x-gzip", "GZIP", " gzip ", "identity, gzip")),
        *((zlib.compress(note), coding, 415) for coding in ("deflate", "compress", "br", "zstd", "gzip,deflate")),
        *((wrong, "", 400) for wrong in (gzip.compress(note), UTF_8 * 2 + note, note + UTF_8, UTF_8)),
        *((note.decode().encode(coding), "", 400) for coding in ("utf-16", "utf-16-le", "utf-32", "euc-kr")),
    ]
    for body, coding, status in asked:
        answer = program.ask("POST", path, body, Content_Type="application/json", Content_Encoding=coding)
        assert answer.status_code == status, (body, coding)
        if status == 201:
            assert [each["title"] for each in answer.json.get("notes", [answer.json])] == ["반달"]
        elif status == 415:
            assert (answer.headers["Accept-Encoding"], "compressed" in answer.json["detail"]) == ("identity", True)
