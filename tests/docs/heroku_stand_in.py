"""Stands in for the commands `heroku` and `aws` of the runbooks: knows the words that they use, and no others.

Verbs and options are those of the npm package heroku 11.10 (oclif.manifest.json). `heroku run` runs what it is given
here, and `heroku logs` prints the file that LOG names.
"""

import os
import sys
from pathlib import Path

REMOTE = {"remote", "app"}
VERBS = {
    **dict.fromkeys(("config:set", "config:unset", "maintenance:off", "maintenance:on"), REMOTE),
    **dict.fromkeys(("pg:backups:capture", "ps:scale", "rollback"), REMOTE),
    "addons:create": REMOTE | {"as", "wait", "follow"},  # the last one is the add-on's own
    "config:get": REMOTE,
    "config": REMOTE | {"shell"},
    "logs": REMOTE | {"num", "ps", "process-type", "dyno-name", "source", "tail"},
    "pg:backups:download": REMOTE | {"output"},
    "pg:backups:schedule": REMOTE | {"at"},
    "pg:connection-pooling:attach": REMOTE | {"as"},
    "pg:promote": REMOTE,
    "pg:credentials:rotate": REMOTE | {"name", "confirm"},
    "ps": REMOTE,
    "ps:restart": REMOTE | {"process-type", "dyno-name"},
    "releases": REMOTE | {"num"},
    "releases:retry": {"app"},
    "run": REMOTE | {"exit-code", "no-tty"},
}
WITHOUT_VALUE = {"exit-code", "no-tty", "tail", "shell", "wait"}


def main(words: list[str]) -> None:
    if words[:2] == ["aws", "s3"] and words[2:3] == ["sync"] and all(word.startswith("s3://") for word in words[3:]):
        return
    program, verb, *rest = words
    if program != "heroku" or verb not in VERBS:
        sys.exit(f"no such command: {words}")
    while rest and rest[0].startswith("--"):
        rest = without_option(verb, rest)
    if verb == "run":
        os.execvp(rest[0], rest)  # noqa: S606 - what a runbook says
    while options := [word for word in rest if word.startswith("--")]:
        place = rest.index(options[0])
        rest = rest[:place] + without_option(verb, rest[place:])
    if verb == "logs":
        sys.stdout.write(Path(os.environ["LOG"]).read_text())
    if verb == "config:get":
        sys.stdout.write("an earlier key\n")


def without_option(verb: str, rest: list[str]) -> list[str]:
    name = rest[0].removeprefix("--")
    if name not in VERBS[verb]:
        sys.exit(f"heroku {verb} has no option --{name}")
    return rest[1:] if name in WITHOUT_VALUE else rest[2:]


if __name__ == "__main__":
    main(sys.argv[1:])
