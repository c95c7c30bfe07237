"""`make feature NAME=bookmarks`: make a feature of the blocks of CONTRIBUTING.md, with its migration and translations.

The page is the only source: its `books` become what NAME says. The migration is generated against a PostgreSQL of its
own, so no database of yours is asked or changed. What fails leaves the checkout as it was.
"""

import builtins
import keyword
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from babel.messages.pofile import read_po, write_po

from tools.migration import ROOT, Refused, git, run, write_revision

CATALOG = "app/translations/ko/LC_MESSAGES/messages.po"
LIST, BEFORE = "app/features.py", '    "mypage",\n'  # a new name comes before this one

BLOCK = re.compile(r"^`(?P<path>[\w/.]+)`:\n\n```\w+\n(?P<text>.*?)```$", re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r"^\| (?P<english>[^|]+?) \| (?P<korean>[^|]*[가-힣][^|]*?) \|$", re.MULTILINE)
NAME = re.compile(r"(?=.{3,24}$)[a-z]+(_[a-z]+)*s")
EXAMPLE = re.compile(r"Books|books|Book|book")
PROSE = re.compile(r'(_\("[^"]*"\)|"""[^"]*""")')
ARTICLE = re.compile(r"\b([Aa]) (?=[aeio])")
WORD = re.compile(rf"(/?)\b({EXAMPLE.pattern})\b")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
NO_PLURALS = ("ss", "us", "is", "news", "series", "species")
ENDINGS = (
    ("movies", "movie"),
    ("cookies", "cookie"),
    ("calories", "calorie"),
    ("ies", "y"),
    ("sses", "ss"),
    ("shes", "sh"),
    ("ches", "ch"),
    ("xes", "x"),
    ("s", ""),
)
WHY = "The table is new, so no code of the previous release reads or writes it."


@dataclass(frozen=True)
class Names:
    """Name a feature as its code and its sentences do."""

    plural: str  # reading_lists
    korean: str

    @property
    def singular(self) -> str:
        return next(self.plural.removesuffix(end) + rest for end, rest in ENDINGS if self.plural.endswith(end))

    @property
    def model(self) -> str:
        return "".join(word.capitalize() for word in self.singular.split("_"))

    def code(self, text: str) -> str:
        """Put the names in place of the example's; in sentences and docstrings, as words."""
        parts = PROSE.split(text)
        return "".join(self.prose(part) if number % 2 else self._code(part) for number, part in enumerate(parts))

    def prose(self, text: str) -> str:
        """Put the words in place of the example's; in a path, the name."""
        words = WORD.sub(lambda found: f"/{self._code(found[2])}" if found[1] else self._words(found[2]), text)
        return ARTICLE.sub(r"\1n ", words)

    def _words(self, example: str) -> str:
        return _words(self._code(example.lower()), like=example)

    def _code(self, text: str) -> str:
        names = {"book": self.singular, "books": self.plural, "Book": self.model, "Books": self.plural.capitalize()}
        return EXAMPLE.sub(lambda found: names[found[0]], text)


def _words(name: str, like: str) -> str:
    words = name.replace("_", " ")
    return words.capitalize() if like[0].isupper() else words


def main(name: str, korean: str) -> None:
    """Make the feature. Raises: Refused."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = {found["path"]: found["text"] for found in BLOCK.finditer(guide)}
    names = checked(name, korean, blocks)
    sentences = {
        names.prose(found["english"]): found["korean"].replace("책", names.korean) for found in SENTENCE.finditer(guide)
    }
    files = {names.code(path): names.code(text) for path, text in blocks.items()}
    try:
        write(names, files, sentences)
    except BaseException:
        git("restore", ".")
        git("clean", "--force", "-d", "--quiet")
        raise
    made = git("status", "--porcelain", "--untracked-files=all").splitlines()
    print(f"Made {names.plural}: {len(made)} files, which `git status` lists. Next: make test, make lint, make dev.")
    print("A site that runs already asks for the new table: .venv/bin/flask db upgrade.")


def checked(name: str, korean: str, blocks: Mapping[str, str]) -> Names:
    """Return the names of the feature. Raises: Refused: it cannot be made here."""
    if not NAME.fullmatch(name) or name.endswith(NO_PLURALS):
        raise Refused("Name the feature by a plural of 3 to 24 small letters: make feature NAME=bookmarks.")
    names = Names(name, korean or _words(name, "Books"))
    new = {names.plural, names.singular, names.model, f"New{names.model}", f"{names.model}Page"}
    used = {word for text in blocks.values() for word in IDENTIFIER.findall(text) if "book" not in word.lower()}
    if taken := sorted(word for word in new if word in used or keyword.iskeyword(word) or hasattr(builtins, word)):
        raise Refused(f"The code of a feature cannot use the name {taken[0]}, which has a meaning in it: take another.")
    for folder in ("app", "app/templates", "tests"):
        if (ROOT / folder / f"{name}.py").exists() or any((ROOT / folder / name).glob("*.*")):
            raise Refused(f"{folder}/{name} is there already: take another name, or delete it.")
    tables, endpoints = taken_by_others()
    if name in tables or name.startswith("procrastinate_"):
        raise Refused(f"There is a table {name} already: take another name.")
    operations = re.findall(r"^def (\w+)", names.code(blocks["app/books/api.py"]), re.MULTILINE)
    if endpoints & {name, *(f"api.{operation}" for operation in operations)}:
        raise Refused(f"The service has pages or operations of {name} already: take another name.")
    if git("status", "--porcelain", "--untracked-files=all"):
        raise Refused("Commit what you have changed, so that the feature is a change of its own: git status.")
    return names


def taken_by_others() -> tuple[set[str], set[str]]:
    """Return the tables of the service, and the names of its endpoints and blueprints."""
    from app import create_app
    from app.extensions import Base
    from config import DevelopmentConfig

    app = create_app(DevelopmentConfig({}))
    return set(Base.metadata.tables), {*app.view_functions, *app.blueprints}


def write(names: Names, files: Mapping[str, str], sentences: Mapping[str, str]) -> None:
    """Write the files, the name in the list, the migration and the translations."""
    for path, text in files.items():
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    listed = (ROOT / LIST).read_text(encoding="utf-8")
    (ROOT / LIST).write_text(listed.replace(BEFORE, f'    "{names.plural}",\n{BEFORE}', 1), encoding="utf-8")
    revision = write_revision(f"Create {_words(names.plural, 'books')}")
    revision.write_text(revision.read_text(encoding="utf-8").replace("\nWhy:\n", f"\n{WHY}\n", 1), encoding="utf-8")
    run("ruff", "format", "--quiet", "app", "migrations", f"tests/{names.plural}")
    run("ruff", "check", "--quiet", "--fix", "app", "migrations", f"tests/{names.plural}")  # sorts the imports
    translate(sentences)


def translate(sentences: Mapping[str, str]) -> None:
    with (ROOT / CATALOG).open("rb") as file:
        catalog = read_po(file)
    for english, korean in sentences.items():
        if not catalog.get(english):
            catalog.add(english, korean)
    with (ROOT / CATALOG).open("wb") as file:
        write_po(file, catalog, width=120)
    run("make", "--silent", "--assume-old=install", "translations")


if __name__ == "__main__":
    try:
        # Make puts its variables into the environment. In a command, the shell would run what they hold.
        main(os.environ.get("NAME", ""), os.environ.get("KOREAN", ""))
    except Refused as refused:
        sys.exit(str(refused))
