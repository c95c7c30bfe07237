"""Share among the attacks on the API a token, and tools in a virtual environment, since we do not depend on them."""

import hashlib
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.accounts import access_tokens, events
from app.accounts.models import User
from tests.samples import samples
from tools.bench.service import ROOT
from tools.bench.site import Site

FOLDER = Path(__file__).parent
EVERY = 0.2  # seconds; nobody sends what a full bucket allows within them
# A limit that refuses hides what is behind it. Those of features count rows, so the rows become old. A generator
# sends one Idempotency-Key with many bodies, which is refused for a day.
AGED = [
    f"UPDATE {each.table} SET created_at = now() - interval '1 day' WHERE created_at > now() - interval '1 hour'"
    for each in samples()
]
EMPTIED = ";".join(["DELETE FROM rate_limits", "DELETE FROM idempotency_keys", *AGED])


def age_rows(site: Site) -> None:
    """Make the rows of features old, so that another one may be asked for."""
    for statement in AGED:
        site.rows(statement)


def token_of(site: Site, user: User) -> str:
    """Return a token that may do everything."""
    with site.app.app_context():
        return access_tokens.make_token(user.id, "all", ["read", "write"], None, events.Client("127.0.0.1", ""))


def programs() -> Path:
    """Return the folder of the tools' programs. End this command when pip cannot install them.

    They are installed once from the pinned requirements, and kept in instance/.
    """
    requirements = FOLDER / "requirements.txt"
    pins = hashlib.sha256(requirements.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    folder = ROOT / "instance" / "attack" / f"attack-{pins}"
    whole = folder / "whole"
    if not whole.exists():
        print(f"installing what the attacks need into {folder.relative_to(ROOT)}, once", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        if subprocess.run([*pip, "install", "--require-hashes", "--requirement", str(requirements)]).returncode != 0:
            sys.exit("pip cannot install what the attacks need, as it says above; the first run needs a package index")
        whole.touch()
    return folder / "bin"


@contextmanager
def without_limits(site: Site) -> Iterator[None]:
    """Empty the limits of this site several times a second. They have tests of their own."""
    over = threading.Event()

    def empty() -> None:
        while not over.wait(EVERY):
            site.rows(EMPTIED)

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
