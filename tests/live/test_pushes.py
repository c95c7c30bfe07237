"""A push to a plain server that is accepted is what serves and what main is; one that is refused changes nothing.

The service is a small one, which starts at once; tests/live/test_plain_server.py pushes our own.
"""

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.plain_site import GIT, HAPROXY, SMALL, PlainSite, plain_site

pytestmark = [pytest.mark.servers, pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")]
WAITS = "Waiting for another deploy to end"
MOVED = "Error: main is no longer what you saw"


@pytest.fixture(scope="module")
def shared_site() -> Iterator[PlainSite]:
    """Yield a site whose folder has a name that a shell, git and HAProxy might read as something else."""
    with plain_site({}, SMALL, """-n it's "the" $HOME of `a` #1; & 한글""") as site:
        pushed = site.push()
        assert pushed.returncode == 0, pushed.stderr
        yield site


@pytest.fixture
def site(shared_site: PlainSite) -> Iterator[PlainSite]:
    """Yield the site, with the checkout at the live release before and after the test."""
    yield shared_site
    shared_site.check_out_live()


@pytest.fixture(scope="module")
def shared_other(shared_site: PlainSite) -> PlainSite:
    folder = shared_site.checkout.with_name("other")
    clone = [*GIT, "clone", "--quiet", "--origin", "production", str(shared_site.place.repository), str(folder)]
    subprocess.run(clone, check=True)
    return replace(shared_site, checkout=folder)


@pytest.fixture
def other(shared_other: PlainSite) -> PlainSite:
    """Return somebody else's clone, at the live release."""
    shared_other.check_out_live()
    return shared_other


def references(site: PlainSite) -> str:
    return site.git("ls-remote", "production").stdout


def live(site: PlainSite) -> str:
    """Return the commit that is live, is main, and alone answers."""
    release = site.live()
    commit = str(release["commit"])
    assert site.running() == {("web", release["version"]), ("worker", release["version"])}
    assert {site.browser().get("/").data.decode() for _ in range(4)} == {commit}
    assert site.git("ls-remote", "production", "main").stdout == f"{commit}\trefs/heads/main\n"
    return commit


def at_once(site: PlainSite, other: PlainSite, *options: str) -> list[tuple[int, str]]:
    """Push from both while a deploy seems to be under way; return how each ends."""
    with ExitStack() as pushes:
        with (site.place.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            both = [pushes.enter_context(one.pushing(*options)) for one in (site, other)]
            for push in both:
                push.read_until(WAITS)
        return [push.end() for push in both]


def test_of_two_pushes_at_once_one_serves_the_other_is_refused_unbuilt(site: PlainSite, other: PlainSite) -> None:
    """Also where it is forced."""
    commits = [one.commit({"who.txt": str(number)}) for number, one in enumerate((site, other))]
    ends = at_once(site, other, "--force")
    assert sorted(code for code, _ in ends) == [0, 1]
    assert live(site) == commits[[code for code, _ in ends].index(0)]
    [refusal] = [said for code, said in ends if code == 1]
    assert MOVED in refusal
    assert "Building" not in refusal


def test_two_pushes_of_the_same_commit_are_both_accepted_and_deployed_once(site: PlainSite, other: PlainSite) -> None:
    commit = site.commit({"who.txt": "the same"})
    other.git("pull", "--quiet", str(site.checkout), "main")
    ends = at_once(site, other)
    assert [code for code, _ in ends] == [0, 0]
    assert sum("Building" in said for _, said in ends) == 1
    assert live(site) == commit


def test_a_forced_push_of_something_older_is_deployed(site: PlainSite) -> None:
    before = live(site)
    site.commit({"who.txt": "newer"})
    assert site.push().returncode == 0
    site.git("reset", "--quiet", "--hard", before)
    assert site.push("--force", "production", "HEAD:main").returncode == 0
    assert live(site) == before


def test_tags_are_stored_with_the_main_that_is_accepted_and_refused_with_the_one_that_is_not(site: PlainSite) -> None:
    commit = site.commit({"who.txt": "tagged"})
    site.git("tag", "--annotate", "v1", "--message", "One")
    assert site.push("--follow-tags", "production", "HEAD:main").returncode == 0
    assert live(site) == commit
    assert "refs/tags/v1" in references(site)
    before = references(site)
    site.commit({"Procfile": "web: exec false\n"})
    assert site.push("production", "HEAD:main", "HEAD:refs/tags/v2").returncode == 1
    assert references(site) == before


def test_what_is_pushed_beside_or_instead_of_a_main_is_refused_and_nothing_is_built(site: PlainSite) -> None:
    before, known, releases = live(site), references(site), site.releases()
    site.commit({"who.txt": "refused"})
    site.git("tag", "--annotate", "an-annotated-tag", "--message", "A tag")
    for words, reason in (
        ("production HEAD:main HEAD:draft", "Only main is deployed, not refs/heads/draft"),
        ("production HEAD:refs/tags/v3 :main", "main cannot be deleted"),
        ("--atomic production HEAD:main HEAD:refs/tags/v3", "does not support --atomic"),
        ("production an-annotated-tag:main", "main has to be a commit, which a tag is not"),
    ):
        pushed = site.push(*words.split())
        assert pushed.returncode != 0, words
        assert reason in pushed.stderr
        assert "Building" not in pushed.stderr
    assert (live(site), references(site), site.releases()) == (before, known, releases)


def test_a_main_moved_by_a_push_killed_before_its_record_is_taken_back(site: PlainSite, other: PlainSite) -> None:
    before = live(site)
    killed = site.commit({"who.txt": "killed"})
    site.git("push", "--quiet", "production", f"{killed}:refs/tags/killed")
    moved = ["git", "--git-dir", str(site.place.repository), "update-ref", "refs/heads/main", killed]
    subprocess.run(moved, check=True)
    assert site.receive("resume").returncode == 0
    assert live(site) == before
    subprocess.run(moved, check=True)
    commit = other.commit({"who.txt": "the next"})
    site.git("fetch", "--quiet", "production")
    refused = other.push("--force", "production", "HEAD:main")  # it saw the main that is none
    assert refused.returncode == 1
    assert MOVED in refused.stderr
    assert live(site) == before
    assert other.push().returncode == 0
    assert live(site) == commit


def test_a_push_whose_connection_is_lost_goes_on_and_is_main(site: PlainSite) -> None:
    commit = site.commit({"who.txt": "lost"})
    with site.pushing() as push:
        push.read_until("Building")
        push.process.kill()
        push.end()
    assert site.receive("resume").returncode == 0  # it waits for the deploy
    assert live(site) == commit


def test_a_main_that_git_cannot_move_is_not_deployed(site: PlainSite) -> None:
    before = live(site)
    site.commit({"who.txt": "in vain"})
    lock = site.place.repository / "refs/heads/main.lock"
    lock.touch()
    pushed = site.push()
    lock.unlink()
    assert pushed.returncode == 1
    assert "Error: main cannot be moved to" in pushed.stderr
    assert "main.lock': File exists" in pushed.stderr
    assert site.releases()[0]["status"] == "failed"
    assert live(site) == before


def test_a_push_that_serves_is_accepted_although_something_old_cannot_be_removed(site: PlainSite) -> None:
    for number in range(5):
        (site.place.releases / f"newer-{number}").mkdir()
        os.utime(site.place.releases / f"newer-{number}", (4e9, 4e9))
    stray = site.place.releases / "stray"
    stray.touch()  # where a folder has to be
    os.utime(stray, (0, 0))
    commit = site.commit({"who.txt": "serves"})
    pushed = site.push()
    stray.unlink()
    assert pushed.returncode == 0
    assert "Warning: the live release cannot be put right" in pushed.stderr
    assert live(site) == commit


@pytest.mark.parametrize(
    ("release", "web", "within", "reason"),
    [
        ("echo no such thing today; exit 3", "false", 60, "The release phase failed with exit code 3: no such thing"),
        ("true", "echo no such thing today; exit 3", 60, "The web ended before it was ready: no such thing today"),
        ("true", "exec sleep 600", 1, "The web is not ready after 1 s"),
    ],
)
def test_a_release_that_fails_or_a_web_that_does_not_become_ready_is_left_out(
    site: PlainSite, release: str, web: str, within: int, reason: str
) -> None:
    """Its own last words are told, though the web that serves writes to its log meanwhile."""
    before, known, settings = live(site), references(site), site.place.root / "server.json"
    usual = settings.read_text()
    settings.write_text(json.dumps({**json.loads(usual), "ready_within": within}))
    site.commit({"Procfile": f"release: {release}\nweb: {web}\nworker: exec sleep 600\n"})
    with site.traffic() as answers:
        pushed = site.push()
    settings.write_text(usual)
    assert (pushed.returncode, set(answers)) == (1, {"200"})
    assert reason in pushed.stderr
    assert "Traceback" not in pushed.stderr
    assert site.releases()[0]["description"].startswith(f"push: {reason}")
    assert (live(site), references(site)) == (before, known)


def test_a_push_that_is_killed_before_its_release_is_ready_leaves_the_old_one(site: PlainSite) -> None:
    before = live(site)
    site.commit({"Procfile": "web: exec sleep 600\n"})
    with site.traffic() as answers, site.pushing() as push:
        push.read_until("Starting web")
        push.signal(signal.SIGKILL)
        assert push.end()[0] != 0
        assert site.receive("resume").returncode == 0
    assert set(answers) == {"200"}
    assert site.releases()[0]["description"] == "push: interrupted"
    assert live(site) == before


def test_an_earlier_commit_is_activated_also_when_that_is_killed_while_it_switches(site: PlainSite) -> None:
    before = live(site)
    site.commit({"Procfile": SMALL["Procfile"].replace("worker: python", "worker: trap 'sleep 1' TERM; python")})
    assert site.push().returncode == 0
    activate: list[str | Path] = [site.place.root / "bin/receive", "activate", before]
    with site.traffic() as answers, site.deploying(activate) as activating:
        activating.read_until("Release phase:")
        activating.read_until("the processes before it are replaced")
        activating.signal(signal.SIGKILL)
        assert activating.end()[0] != 0
        assert site.receive("resume").returncode == 0
    assert set(answers) == {"200"}
    assert (site.releases()[0]["commit"], site.releases()[0]["status"]) == (before, "succeeded")
    assert live(site) == before


def test_commands_run_in_the_environment_of_the_live_release_and_an_unknown_commit_is_refused(site: PlainSite) -> None:
    before, release = live(site), site.live()
    ran = site.receive("run", "sh", "-c", "echo $APP_SETTINGS $HEROKU_SLUG_COMMIT $HEROKU_RELEASE_VERSION; pwd; exit 7")
    assert ran.returncode == 7
    told = f"config.ProductionConfig {before} v{release['version']}"
    assert ran.stdout.splitlines() == [told, str(site.place.releases / before)]
    refused = site.receive("activate", "0123456789abcdef")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: 0123456789abcdef is no commit that was pushed here")
    assert live(site) == before
