"""Upload hostile files: pictures that are none, bombs, what keeps a decoder busy; archives that lie."""

from collections.abc import Iterator
from itertools import islice

import psutil

from tests.bucket import object_keys
from tests.photos.hostile_photos import costly_photos, hostile_photos
from tests.portability.hostile_archives import ARCHIVES
from tools.attack.finding import Finding, fingerprint
from tools.bench.client import Client
from tools.bench.site import Site

QUICK = 12  # files of each kind
MOST_MEMORY = 300 * 2**20  # bytes of a web process


def pictures(site: Site, client: Client, user_id: int, most: int | None) -> Finding:
    finding = Finding("hostile pictures", "413 or 422, nothing stored")
    before = fingerprint(site, user_id), objects(site)
    for upload in islice(hostile_photos(), most):
        site.rows("DELETE FROM rate_limits")
        answer = client.submit("/mypage/photo", photo=("photo.jpg", upload.data, "image/jpeg"))
        finding.expect_page(answer, upload.name, also=answer.status in (413, 422))
    finding.expect((fingerprint(site, user_id), objects(site)) == before, "something was stored")
    return finding


def costly_pictures(site: Site, client: Client, user_id: int, most: int | None) -> Finding:
    finding = Finding("pictures that keep a decoder busy", "answered within seconds, also other pages")
    for upload in islice(costly_photos(), most):
        site.rows("DELETE FROM rate_limits")
        answer = client.submit("/mypage/photo", photo=("photo.jpg", upload.data, "image/jpeg"))
        finding.expect_page(answer, upload.name)
        finding.expect_page(client.get("/notes"), f"/notes after {upload.name}")
    return finding


def archives(site: Site, client: Client, user_id: int, most: int | None) -> Finding:
    finding = Finding("hostile archives", "413 or 422, nothing stored")
    before = fingerprint(site, user_id), objects(site)
    for name, (_, archive) in islice(ARCHIVES.items(), most):
        site.rows("DELETE FROM rate_limits")
        answer = client.submit("/mypage/import", archive=("export.zip", archive(), "application/zip"))
        finding.expect_page(answer, name, also=answer.status in (413, 422))
    finding.expect((fingerprint(site, user_id), objects(site)) == before, "something was stored")
    return finding


def objects(site: Site) -> set[str]:
    with site.app.app_context():
        return object_keys(site.app)


def attacks(site: Site, quick: bool) -> Iterator[Finding]:
    user = site.sign_up("uploading")
    client = site.client(user)
    workers = psutil.Process(site.web.pid).children(recursive=True)
    for attack in (pictures, archives, costly_pictures):
        yield attack(site, client, user.id, QUICK if quick else None)
    processes = Finding("the web processes, after the files", "the same ones, each below 300 MB")
    for worker in workers:
        processes.expect(worker.is_running(), f"{worker.pid} has died")
        if worker.is_running():
            memory = worker.memory_info().rss
            processes.expect(memory < MOST_MEMORY, f"{memory // 2**20} MB")
    yield processes
