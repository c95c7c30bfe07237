"""Ask the bare repository where main is, and what git asks its proc-receive hook about a push.

Git hands main over to that hook (githooks(5), since git 2.29) once the pushed objects are stored, and leaves it to the
hook to move the reference. So main is compared, deployed and moved under one lock. A pre-receive hook cannot: git moves
the reference after it has ended, when the next push may be at work.
"""

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from .errors import DeployError

BRANCH = "refs/heads/main"
BRANCHES = "refs/heads/"


@dataclass(frozen=True)
class Update:
    """A reference that a push is to move.

    Args:
        old: what the pusher saw there; None: nothing.
        new: where it is to be; None: deleted.
    """

    old: str | None
    new: str | None
    name: str


class Push:
    """The hook's side of a conversation in pkt-lines (gitprotocol-common(5)).

    Args:
        questions: its standard input.
        answers: its standard output.
    """

    def __init__(self, questions: BinaryIO, answers: BinaryIO) -> None:
        self._questions = questions
        self._answers = answers

    @cached_property
    def updates(self) -> list[Update]:
        """Read the references of one push."""
        self._read()  # the features that git offers, of which none is needed
        self._write(["version=1"])
        lines = [line.split(" ", 2) for line in self._read()]
        return [Update(_object(old), _object(new), name) for old, new, name in lines]

    def accept(self) -> None:
        """Say that main is moved; anything else, such as a tag, git moves itself."""
        lines = []
        for update in self.updates:
            lines += [f"ok {update.name}"] if update.name == BRANCH else [f"ok {update.name}", "option fall-through"]
        self._write(lines)

    def refuse(self) -> None:
        self._write([f"ng {update.name} declined" for update in self.updates])

    def _read(self) -> list[str]:
        """Read the lines up to the flush packet."""
        lines = []
        while size := int(self._questions.read(4) or b"0", 16):
            lines.append(os.fsdecode(self._questions.read(size - 4)).rstrip("\n"))
        return lines

    def _write(self, lines: list[str]) -> None:
        """Send lines and a flush packet. A lost connection does not end a deploy."""
        packets = [b"%04x" % (len(os.fsencode(line)) + 4) + os.fsencode(line) for line in lines]
        with suppress(BrokenPipeError):
            self._answers.write(b"".join([*packets, b"0000"]))
            self._answers.flush()


def _object(text: str) -> str | None:
    """Read an object's id, which is all zeros where there is none."""
    return text if text.strip("0") else None


@dataclass(frozen=True)
class Repository:
    folder: Path

    @property
    def main(self) -> str | None:
        return self.commit(BRANCH)

    def commit(self, name: str) -> str | None:
        """Return the id of the commit that a name leads to."""
        found = self._git("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
        return found.stdout.strip() or None

    def move_main(self, commit: str | None) -> None:
        """Move main to a commit.

        Args:
            commit: None: there is no main any more.

        Raises:
            DeployError: git cannot write it.
        """
        old = self.main
        if old == commit:
            return
        moved = self._git("update-ref", *([BRANCH, commit] if commit else ["-d", BRANCH]), old or "")
        if moved.returncode != 0:
            raise DeployError(f"main cannot be moved to {commit}: {' '.join(moved.stderr.split())}")

    def _git(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", "--git-dir", self.folder, *arguments], capture_output=True, text=True)
