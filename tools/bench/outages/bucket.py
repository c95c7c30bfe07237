"""Take the bucket away: how fast pages are meanwhile, what uploads are answered, and what is left in the bucket."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from app.photos import tasks
from tests.bucket import object_keys
from tests.photos.hostile_photos import largest_honest_photo
from tests.photos.photo_files import oriented_photo
from tests.waiting import wait_until
from tools.bench.client import Answer, Client
from tools.bench.load import meanwhile, p95, read_pages
from tools.bench.service import running
from tools.bench.site import Site, frozen

UPLOADERS = 4  # more than a process takes at once; every second one with the largest honest photo
SETTLED_WITHIN = 60.0  # seconds for the jobs that delete orphans

KINDS = ("bucket frozen", "bucket gone", "bucket answers 403")


@dataclass
class Outcome:
    name: str
    before: list[Answer]
    during: list[Answer]
    uploads: list[Answer] = field(default_factory=list)
    orphans: int = 0  # objects that no row points at, once the outage is over, the jobs have run and one sweep

    @property
    def ratio(self) -> float:
        return p95(self.during) / p95(self.before)


def measure(site: Site, name: str, seconds: float, number: int) -> Outcome:
    user = site.sign_up(f"uploader{number}")
    with ExitStack() as stack:
        port = None
        if name == "bucket answers 403":  # as with a key that was revoked
            wrong = {**site.environment, "AWS_SECRET_ACCESS_KEY": "not-the-secret-of-the-bucket"}
            port = stack.enter_context(running(wrong)).port
        reader = site.client(user, port)
        reader.token()
        photos = (largest_honest_photo(), oriented_photo(1)) * (UPLOADERS // 2)
        outcome = Outcome(name, before=read_pages(reader, seconds), during=[])
        uploading = [partial(upload, reader.copy(), photo, outcome.uploads) for photo in photos]
        with _outage(site, name), meanwhile(*uploading):
            outcome.during = read_pages(reader, seconds)
    outcome.orphans = orphans(site)
    return outcome


def upload(client: Client, data: bytes, answers: list[Answer], stop: Event) -> None:
    """Upload a photo again and again; what is stopped ends its upload first."""
    while not stop.is_set():
        answer = client.submit("/mypage/photo", photo=("me.jpg", data, "image/jpeg"))
        answers.append(answer)
        stop.wait(0.5 if answer.seconds < 0.5 else 0)


@contextmanager
def _outage(site: Site, name: str) -> Iterator[None]:
    if name == "bucket gone":
        site.bucket.stop()
        yield
        site.start_bucket()
        return
    with frozen(site.bucket) if name == "bucket frozen" else nullcontext():
        yield


def orphans(site: Site) -> int:
    """Run the waiting jobs of the bucket now, and one sweep; return how many objects no row points at."""
    site.rows("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    waiting = "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name ~ '^(photos|storage)'"
    wait_until(lambda: not site.rows(waiting), "the jobs of the bucket have run", SETTLED_WITHIN)
    with site.app.app_context():
        tasks.sweep_photos(0)
        keys = object_keys(site.app)
    shown = {url.rpartition("/")[2] for (url,) in site.rows("SELECT image_url FROM users WHERE image_url IS NOT NULL")}
    return sum(key.rpartition("/")[2] not in shown for key in keys)
