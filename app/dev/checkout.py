"""Where `flask dev` finds the code and keeps its data."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """Where things are: the code, and the folder for what `flask dev` keeps."""

    root: Path
    instance: Path

    @property
    def postgres(self) -> Path:
        return self.instance / "postgres"

    @property
    def s3(self) -> Path:
        return self.instance / "s3"

    def pid_file(self, name: str) -> Path:
        return self.instance / f"{name}.pid"
