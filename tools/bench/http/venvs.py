"""Virtual environments for what we are compared with, made once from pinned requirements and kept in instance/."""

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tools.bench.service import ROOT

KEPT = ROOT / "instance" / "bench"


def virtual_environment(name: str, requirements: Path) -> Path:
    """The folder of its programs. Ends this command when pip cannot install them."""
    pins = hashlib.sha256(requirements.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    folder = KEPT / f"{name}-{pins}"
    whole = folder / "whole"
    if not whole.exists():
        print(f"installing what {name} needs into {folder.relative_to(ROOT)}, once", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        if subprocess.run([*pip, "install", "--require-hashes", "--requirement", str(requirements)]).returncode != 0:
            sys.exit(f"pip cannot install what {name} needs, as it says above; the first run needs a package index")
        whole.touch()
    return folder / "bin"
