"""`make rename NAME="Half Moon" KOREAN=반쪽달`: give the service a name of its own, wherever it is named.

On pages, in mails and texts, in the metadata of the package and of app.json, in cookies, in names of sessions of
PostgreSQL and in the documentation. A line that says NOT_RENAMED stays, and so does what other places know already:
revisions that ran, and the library of the migrations. Nothing is committed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from app.accounts.password_policy import on_latin_keyboard

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, SLUG, KOREAN = "Semicircle", "semicircle", "세미서클"
NOT_RENAMED = "not renamed"  # as a comment
STAYS = re.compile(r"migrations/versions/|app/release/|online_migrations/|tools/rename\.py$")
NAMED = re.compile(
    rf"(?<=X-){ENGLISH}|{ENGLISH}(?=-)|{ENGLISH}|{SLUG}\.dev|{SLUG}|{KOREAN}|{on_latin_keyboard(KOREAN)}"
)


def main(english: str, korean: str) -> None:
    """Rename the service. Exits: the names cannot be used, or something is not committed."""
    slug = checked(english, korean)
    names = {ENGLISH: english, SLUG: slug, f"{SLUG}.dev": f"{slug}.example", KOREAN: korean}

    def new_name(found: re.Match[str]) -> str:
        if found[0] == ENGLISH and (
            found.string[: found.start()].endswith("X-") or found.string[found.end() :][:1] == "-"
        ):
            return english.replace(" ", "")  # in a header
        return names.get(found[0]) or on_latin_keyboard(korean)

    changed = 0
    for name in git("ls-files", "-z").split("\0"):
        path = ROOT / name
        if not name or STAYS.match(name) or not path.is_file() or b"\0" in (data := path.read_bytes()):
            continue
        lines = data.decode().split("\n")
        renamed = "\n".join(line if NOT_RENAMED in line else NAMED.sub(new_name, line) for line in lines)
        if renamed.encode() != data:
            path.write_bytes(renamed.encode())
            changed += 1
    for command in (("format",), ("check", "--select=E501", "--add-noqa")):  # a longer name makes lines too long
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", "."], cwd=ROOT, check=True)
    print(f"{english} · {korean}: {changed} files. Next: make translations format test lint, and read `git diff`.")


def checked(english: str, korean: str) -> str:
    """Return the name in lower case, as a role of PostgreSQL has it. Exits: see main."""
    slug = re.sub(r"[^a-z0-9]", "", english.lower())
    is_english = re.fullmatch(r"[A-Z][A-Za-z0-9 ]{1,18}[A-Za-z0-9]", english)
    if not (is_english and re.fullmatch(r"[가-힣A-Za-z0-9 ]{1,19}[가-힣A-Za-z0-9]", korean)):
        sys.exit(
            "Give the name in Latin letters and in Korean, up to 20 of each, the first a capital and the last no space:"
            ' make rename NAME="Half Moon" KOREAN=반쪽달'
        )
    if slug in RESERVED_WORDS | {"postgres"}:
        sys.exit(f"PostgreSQL gives {slug} a meaning of its own, so no role can be named so: take another name.")
    if git("status", "--porcelain", "--untracked-files=all"):
        sys.exit("Commit what you have changed, so that the new name is a change of its own: git status.")
    return slug


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    # Make puts its variables into the environment. In a command, the shell would run what they hold.
    main(os.environ.get("NAME", ""), os.environ.get("KOREAN", ""))
