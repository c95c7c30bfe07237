"""Keep the record of releases: a line of JSON for each change of state, appended and never changed.

A release has the states that Heroku's have: pending, succeeded, failed. The newest that succeeded is the live one.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

PENDING, SUCCEEDED, FAILED = "pending", "succeeded", "failed"


@dataclass(frozen=True)
class Release:
    """
    Args:
        description: what made it, and why it failed.
        created_at, updated_at: UTC, as ISO 8601 writes it.
    """

    version: int
    commit: str
    status: str
    description: str
    created_at: str
    updated_at: str


@dataclass(frozen=True)
class Records:
    file: Path

    def all(self) -> list[Release]:
        """Return the oldest first. A line that is cut, because its writer was killed, counts as not written."""
        found: dict[int, Release] = {}
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        for line in lines:
            try:
                release = Release(**json.loads(line))
            except ValueError:
                continue
            found[release.version] = release
        return [found[version] for version in sorted(found)]

    def live(self) -> Release | None:
        return max((one for one in self.all() if one.status == SUCCEEDED), key=lambda one: one.version, default=None)

    def begin(self, commit: str, description: str) -> Release:
        version = max((release.version for release in self.all()), default=0) + 1
        release = Release(version, commit, PENDING, description, _now(), _now())
        self._append(release)
        return release

    def end(self, release: Release, status: str, description: str = "") -> Release:
        ended = replace(release, status=status, description=description or release.description, updated_at=_now())
        self._append(ended)
        return ended

    def fail_interrupted(self) -> None:
        """Let what is pending fail. Only for who holds the lock: nobody works on it then."""
        for release in self.all():
            if release.status == PENDING:
                self.end(release, FAILED, f"{release.description}: interrupted")

    def _append(self, release: Release) -> None:
        """Write it to the disk before anything is done that it tells."""
        descriptor = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            is_cut = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write((b"\n" if is_cut else b"") + json.dumps(asdict(release)).encode() + b"\n")
            os.fsync(file.fileno())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
