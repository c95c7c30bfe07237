"""Run a whole site whose parts can be broken: the Procfile's web and worker, a PostgreSQL and SeaweedFS of its own."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

from app import create_app
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.todos import service as todos
from config import ProductionConfig
from tests.samples import samples
from tools.bench.client import PASSWORD, Client, sign_in
from tools.bench.service import ROOT, Service, command, mail, production, query, release, running
from tools.dev import ports, postgres, s3
from tools.dev.processes import Child, spawn

BUCKET = "bench"


@dataclass
class Site:
    app: Flask  # in this process, on the same database and bucket: to arrange and to look
    environment: dict[str, str]
    folder: Path
    database_port: int
    database: Child
    bucket_port: int
    bucket: Child
    web: Service = field(init=False)

    @property
    def port(self) -> int:
        return self.web.port

    def client(self, user: User | None = None, port: int | None = None) -> Client:
        """Return a browser; of a user, signed in. `port` is that of another web on the same database."""
        return Client(port or self.port) if user is None else sign_in(port or self.port, user.email)

    def sign_up(self, name: str) -> User:
        """Create an account by the service, so that neither a mail nor a rate limit is in the way."""
        with self.app.app_context():
            user = accounts.sign_up(f"{name}@example.com", name, PASSWORD)
            db.session.expunge(user)
            return user

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return query(postgres.url(self.database_port), statement)

    def start_bucket(self) -> None:
        self.bucket = s3.start(self.folder / "s3", self.bucket_port, BUCKET)

    def start_database(self) -> None:
        self.database = postgres.start(self.folder / "postgres", self.database_port, durable=False)


def own_things(site: Site, user: User) -> dict[str, Any]:
    """Create a row of everything; return the values of the variables in the site's paths."""
    with site.app.app_context():
        note = notes.create_note(user.id, "title", "content #tag")
        todo = todos.create_todo(user.id, "description")
        result = next((each.own(user)["done"] for each in samples()), None)
    [(session,)] = site.rows(f"SELECT max(id) FROM user_sessions WHERE user_id = {user.id}") or [(None,)]
    return {"note_id": note, "todo_id": todo, "public_id": result, "session_id": session or 1}


def routes(app: Flask, method: str, ids: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the endpoint and a path of every route with this method. A variable that `ids` does not have is 1."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and rule.endpoint != "static":
            values = {name: ids.get(name, uuid.UUID(int=1) if name == "public_id" else 1) for name in rule.arguments}
            yield rule.endpoint, adapter.build(rule.endpoint, values, method)


@contextmanager
def site(**variables: str) -> Iterator[Site]:
    """Run a site on free ports, with these variables in its environment, which may be others than usual."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="site-", ignore_cleanup_errors=True)))
        [database_port, mail_port] = ports.find_free(2)
        database = postgres.start(folder / "postgres", database_port, durable=False)
        bucket_port = s3.free_port()
        bucket = s3.start(folder / "s3", bucket_port, BUCKET)
        environment = {
            **production(database_port),
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": s3.endpoint(bucket_port),
            "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
            **mail(mail_port),
            "LOG_LEVEL": "ERROR",
            **variables,
        }
        app = create_app(ProductionConfig(environment))
        started = Site(app, environment, folder, database_port, database, bucket_port, bucket)
        stack.callback(lambda: started.database.stop())  # which may be another one by then
        stack.callback(lambda: started.bucket.stop())
        release(environment)
        worker = spawn(command("worker"), log=folder / "worker", cwd=ROOT, env=environment)
        stack.callback(Child("worker", worker, grace=30).stop)
        started.web = stack.enter_context(running(environment))
        try:
            yield started
        finally:
            with started.app.app_context():
                db.session.remove()
                db.engine.dispose()


@contextmanager
def frozen(server: Child) -> Iterator[None]:
    """Send SIGSTOP to all processes of a server: to the first before the others, so that it starts no more of them."""
    first = psutil.Process(server.process.pid)
    first.suspend()
    others = first.children(recursive=True)
    for process in others:
        process.suspend()
    try:
        yield
    finally:
        for process in (*others, first):
            process.resume()
