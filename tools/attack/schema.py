"""Send the API what its served OpenAPI document allows, and what it does not, and check the answers against it.

Starts a site of its own. schemathesis generates the requests: examples, the bounds of every field, random ones, and
sequences in which one request takes the id that another was answered. Exit code 1 when an answer is a 5xx or another
than the document says, and when the run says nothing: too few requests, or hardly any that were taken.

Run: python -m tools.attack.schema
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flask import Flask

from app.api.messages import refusing
from app.notes import service as notes
from app.schemas import Body
from app.web.errors import Problem
from app.web.locale import LANGUAGES
from tools.attack.answers import Answers, read
from tools.attack.tools import FOLDER, programs, token_of, without_limits
from tools.bench.site import Site, own_things, site

CASES = 5_000  # at least
EXAMPLES = 220  # random requests for each operation that takes so many different ones
TAKEN = 0.25  # of the answers are 2xx, at least
LIMITED = 0.01  # of the answers are 429, at most
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "missing_required_header"),
    *("ignored_auth", "unsupported_method", "allow_header_conformance", "negative_data_rejection"),
)
# A generator draws a JPEG, but none that is large enough. tools.attack.client sends one.
NEVER_TAKEN = {"PUT /api/v1/profile/photo"}


class Sample(Body):
    number: int
    date: int


def schema_sentences(app: Flask) -> set[str]:
    """Return the sentences that refuse a body which the schema of its operation does not allow, in each language."""
    found: set[str] = set()
    for language in LANGUAGES:
        with app.test_request_context(headers={"Accept-Language": language}):
            try:
                with refusing("pointer"):
                    Sample.model_validate({"number": "1", "colour": "red"})
            except Problem as problem:
                found |= {each["detail"] for each in json.loads(problem.answer().get_data())["errors"]}
    return found


def furnish(site: Site) -> str:
    """Return a token of an account with several pages of notes: by turns one was edited, and one is in the trash."""
    user = site.sign_up("schema")
    first = own_things(site, user)["note_id"]
    with site.app.app_context():
        ids = [first, *notes.create_notes(user.id, [(f"note {number}", "text #home") for number in range(60)])]
        for edited in ids[::2]:
            notes.update_note(user.id, edited, "edited", "text #home", 1)
        for deleted in ids[1::2]:
            notes.delete_note(user.id, deleted)
    return token_of(site, user)


def generate(site: Site, token: str, folder: Path, seed: int | None) -> tuple[int, str]:
    """Run schemathesis in this folder; return its exit code and what it said."""
    url, events = f"http://127.0.0.1:{site.port}", folder / "events.ndjson"
    command = [
        *(str(programs() / "schemathesis"), "--config-file", str(FOLDER / "schemathesis.toml"), "run"),
        *(f"{url}/api/v1/openapi.json", "--url", url, "--checks", ",".join(CHECKS), "--continue-on-failure"),
        *("--header", f"Authorization: Bearer {token}", "--header", "X-Forwarded-Proto: https"),
        *("--mode", "all", "--max-examples", str(EXAMPLES), "--workers", "2", "--request-timeout", "40"),
        *("--report", "ndjson", "--report-ndjson-path", str(events), "--generation-database", "none", "--no-color"),
        *(() if seed is None else ("--seed", str(seed))),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def shortcomings(answers: Answers) -> list[str]:
    """Return why the run is no success."""
    found = [f"{count} answers failed {check}" for check, count in answers.failed.items()]
    found += [f"{operation} was never taken" for operation in sorted(answers.asked - answers.taken - NEVER_TAKEN)]
    found += list(answers.wronged)
    kinds, modes, refused = answers.kinds, answers.modes, answers.by_schema
    said = {
        f"{kinds['5xx']} server errors, {kinds['none']} without an answer": kinds["5xx"] or kinds["none"],
        f"{answers.undescribed} undescribed answers": answers.undescribed,
        f"{refused['positive']} requests were refused as ill-formed that the document allows": refused["positive"],
        "hardly any request was refused as ill-formed": refused["negative"] < CASES / 20,
        f"fewer than {CASES} requests": answers.cases < CASES,
        "one kind of requests, positive or negative, is missing": min(modes["positive"], modes["negative"]) < CASES / 5,
        f"fewer than {TAKEN:.0%} of the requests were taken": kinds["2xx"] < TAKEN * answers.cases,
        "the rate limits kept requests away": kinds["429"] > LIMITED * answers.cases,
    }
    return found + [what for what, holds in said.items() if holds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated")
    options = parser.parse_args()
    programs()
    began = time.monotonic()
    with site(TRUSTED_HOSTS="127.0.0.1") as attacked, tempfile.TemporaryDirectory() as folder:
        token = furnish(attacked)
        with without_limits(attacked):
            code, said = generate(attacked, token, Path(folder), options.seed)
        with (Path(folder) / "events.ndjson").open() as lines:
            answers = read(lines, schema_sentences(attacked.app))
    show(answers)
    found = shortcomings(answers) or ([f"schemathesis ended with {code}"] if code and not answers.excused else [])
    print("\n".join([said, *found]) if found else f"as the document says, after {time.monotonic() - began:.0f} s")
    sys.exit(1 if found else 0)


def show(answers: Answers) -> None:
    print(f"{answers.cases} requests: {answers.modes['positive']} positive, {answers.modes['negative']} negative")
    kinds = {kind: answers.kinds[kind] for kind in ("2xx", "4xx", "429", "5xx")}
    print(
        f"answers: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}; {answers.undescribed} undescribed"
    )


if __name__ == "__main__":
    main()
