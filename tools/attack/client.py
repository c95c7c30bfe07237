"""Generate a client of the served OpenAPI document, and use it as a program would: what the document promises, works.

Starts a site of its own. openapi-python-client generates the client, and tools/attack/generated_client.py uses it.

Run: python -m tools.attack.client
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tools.attack.tools import FOLDER, programs, token_of
from tools.bench.client import Client
from tools.bench.site import Site, site

OPERATIONS = 30  # of the document, at least; each becomes a module


def generate(site: Site, folder: Path) -> int:
    """Put the package semicircle_client into this folder; return how many operations it has."""
    document = folder / "openapi.json"
    document.write_bytes(Client(site.port).get("/api/v1/openapi.json").body)
    command = [str(programs() / "openapi-python-client"), "generate", "--path", str(document), "--meta", "none"]
    package = folder / "semicircle_client"
    done = subprocess.run(
        [*command, "--output-path", str(package), "--config", str(FOLDER / "client.yml")],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"no client can be generated of the document:\n{done.stdout}{done.stderr}")
    return len([path for path in package.glob("api/*/*.py") if path.name != "__init__.py"])


def use(site: Site, folder: Path) -> int:
    """Run tools/attack/generated_client.py, which prints what it did; return its exit code."""
    photo = folder / "photo.png"
    Image.new("RGB", (64, 64), "teal").save(photo)
    token = token_of(site, site.sign_up("generated"))
    environment = {**os.environ, "PYTHONPATH": str(folder), "TOKEN": token}
    command = [
        str(programs() / "python"),
        str(FOLDER / "generated_client.py"),
        f"http://127.0.0.1:{site.port}",
        str(photo),
    ]
    return subprocess.run(command, env=environment).returncode


def main() -> None:
    programs()
    with site(TRUSTED_HOSTS="127.0.0.1") as served, tempfile.TemporaryDirectory() as folder:
        operations = generate(served, Path(folder))
        print(f"{operations} operations generated", flush=True)
        code = use(served, Path(folder))
    if operations < OPERATIONS:
        sys.exit("the client lacks operations")
    sys.exit(code)


if __name__ == "__main__":
    main()
