"""The peers in tools/bench/peers: their templates, their packages and their servers.

Every server is started as the documentation of its framework says, with as many processes as ours.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from app.dev import ports
from app.dev.processes import Child, spawn
from tools.bench.http import page, rows
from tools.bench.http.venvs import virtual_environment
from tools.bench.service import ROOT, get

FOLDER = ROOT / "tools" / "bench" / "peers"
START_WITHIN = 60  # seconds
WORKERS = 2

GUNICORN = f"exec gunicorn --workers {WORKERS} --bind 127.0.0.1:{{port}} --pythonpath {ROOT}"
UVICORN = f"exec uvicorn --workers {WORKERS} --port {{port}} --app-dir {ROOT}"
# The limit keeps connections open, as ours does. Django's and Flask's pages name gunicorn's default, a process without
# threads. FastAPI's name uvicorn; it would write a line for every request, which none of the others does.
COMMANDS = {
    "wsgi": f"{GUNICORN} --worker-class gthread --threads 5 tools.bench.peers.wsgi.application:application",
    "django": f"python -m django migrate --verbosity 0 && {GUNICORN} tools.bench.peers.django.wsgi",
    "fastapi": f"{UVICORN} --no-access-log tools.bench.peers.fastapi.main:app",
    "flask_tutorial": f"{GUNICORN} tools.bench.peers.flask_tutorial.application:app",
}
SYNTAX = {"wsgi": page.WSGI, "django": page.DJANGO, "fastapi": page.FASTAPI, "flask_tutorial": page.JINJA}
OWN_PACKAGES = {"wsgi", "flask_tutorial"}  # need none that the service does not have
PEERS = list(COMMANDS)


def write_templates(folder: Path, database_url: str, reader: rows.Visitor) -> None:
    """Save our own list, as the first of the readers sees it, as a template of each peer."""
    note = page.Note(*_first_note(database_url, rows.READERS[0]))
    for name, syntax in SYNTAX.items():
        (folder / name).mkdir()
        (folder / name / "index.html").write_text(page.template(reader, rows.READERS[0], note, syntax))


def _first_note(database_url: str, nickname: str) -> tuple[int, str, str]:
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT notes.id, title, content FROM notes JOIN users ON user_id = users.id WHERE nickname = %s"
            " ORDER BY notes.id DESC LIMIT 1",
            [nickname],
        )
        found: tuple[int, str, str] = cursor.fetchall()[0]
    connection.close()
    return found


@contextmanager
def running(name: str, service: dict[str, str], folder: Path) -> Iterator[tuple[int, int]]:
    """The port and the process of a peer that is ready.

    Args:
        service: the environment of our service.
        folder: with the templates.
    """
    [port] = ports.find_free(1)
    programs = Path(sys.executable).parent if name in OWN_PACKAGES else peer_programs()
    environment = {
        "PATH": f"{programs}:{service['PATH']}",
        "DATABASE_URL": service["DATABASE_URL"],
        "SECRET_KEY": service["SECRET_KEY"],
        "TEMPLATES": str(folder / name),
        "DJANGO_SETTINGS_MODULE": "tools.bench.peers.django.settings",
        "PYTHONPATH": str(ROOT),
    }
    command, log = COMMANDS[name].format(port=port), folder / f"{name}.log"
    # In its own folder, where gunicorn does not find the configuration of our service.
    process = spawn(["/bin/sh", "-c", command], log=log, cwd=FOLDER / name, env=environment)
    child = Child(name, process, log)
    child.wait_until(lambda: _is_ready(port), START_WITHIN)
    try:
        yield port, process.pid
    finally:
        child.stop()


def peer_programs() -> Path:
    return virtual_environment("peers", FOLDER / "requirements.txt")


def _is_ready(port: int) -> bool:
    try:
        return get(port) == 200
    except OSError:
        return False
