"""Ways in which a deploy fails, each with what it has to say."""

from collections.abc import Callable
from typing import NamedTuple

from tests.deployment.world import LIMITS, World
from tools.deployment.limits import Limits

NO_RELEASE = "no release is made"
RELEASED = "the release is made"


Plant = Callable[[World], object]


class Failure(NamedTuple):
    """
    Args:
        plant: makes it fail.
        says: a regular expression for the last line of the log.
        made: whether the remote gets a release before it fails.
        waits: the limits, where it fails by one.
        deploy: to where.
    """

    plant: Plant
    says: str
    made: str = NO_RELEASE
    waits: Limits = LIMITS
    deploy: str = "staging"


def fault(**faults: str) -> Plant:
    return lambda world: world.heroku.faults.update(faults)


def outcome(remote: str, outcome: str) -> Plant:
    return lambda world: setattr(world.app(remote), "outcome", outcome)


def site(name: str, value: object) -> Plant:
    return lambda world: setattr(world.sites["staging"], name, value)


def broken(request: str, status: int, text: str = "") -> Plant:
    return site("broken", {request: (status, text)})


def overtaken(world: World) -> None:
    """Let somebody else's deploy go live while the smoke journey writes."""
    there, ours = world.sites["staging"], world.head()
    there.serving = lambda: "0" * 40 if "POST /mypage/delete" in there.asked else ours


def no_heroku(world: World) -> None:
    (world.checkout.parent / "bin/heroku").unlink()


def failed_before(world: World) -> None:
    """Let Git have the commit, whose release has failed: "Everything up-to-date"."""
    world.git("push", "--quiet", "staging", "HEAD:main")
    world.staging.releases[0]["status"] = "failed"


def rolled_back_since(world: World) -> None:
    world.has_released("staging", "0" * 40)
    world.git("push", "--quiet", "staging", "HEAD:main")
    world.staging.end_releases()
    world.staging.add_release("Rollback to v1", "0" * 40)
    world.staging.end_releases()


def unreachable(world: World) -> None:
    world.staging.web_url = "http://127.0.0.1:1/"


def dirty(world: World) -> None:
    (world.checkout / "Makefile").write_text("test:\n")


def another_branch(world: World) -> None:
    world.git("switch", "--quiet", "--create", "feature")


def red_tests(world: World) -> None:
    world.commit("Makefile", "test:\n\t@echo 1 failed; false\n")


def tests_without_end(world: World) -> None:
    """Write all the time, so that no wait for the next line is long."""
    world.commit("Makefile", "test:\n\t@while echo tested; do sleep 0.01; done\n")


def tests_that_leave_files(world: World) -> None:
    world.commit("Makefile", "test:\n\t@touch left-over\n")


def not_in_step(world: World) -> None:
    """Let somebody else have pushed to where main comes from, or nobody what is deployed."""
    world.git("clone", "--quiet", "--bare", ".", "../origin.git")
    world.git("remote", "add", "origin", "../origin.git")
    world.git("fetch", "--quiet", "origin")
    world.git("branch", "--quiet", "--set-upstream-to=origin/main")
    world.commit()


def no_remote(world: World) -> None:
    world.git("remote", "remove", "staging")


def staging_ran_nothing(world: World) -> None:
    """Leave it as it is at first."""


def staging_ran_another(world: World) -> None:
    world.has_released("staging", world.head())
    world.commit()


def staging_broke_since(world: World) -> None:
    world.has_released("staging", world.head())
    world.sites["staging"].broken = {"POST /notes": (500, "")}


def staging_serves(**faults: str) -> Plant:
    def plant(world: World) -> None:
        world.has_released("staging", world.head())
        world.heroku.faults.update(faults)

    return plant


def production_fails(world: World) -> None:
    world.has_released("staging", world.head())
    world.production.outcome = "failed"


SOON = LIMITS._replace(site=0.2)
FAILURES = {
    "release failed": Failure(outcome("staging", "failed"), "v1 of .* failed.*releases:retry --app", RELEASED),
    "release pending for ever": Failure(
        outcome("staging", "pending"), "v1 .* still pending", RELEASED, LIMITS._replace(release=0.2)
    ),
    "push rejected": Failure(fault(push="rejected"), "refused the push"),
    "up-to-date after a failed release": Failure(failed_before, "v1 .* failed.*releases:retry --app", RELEASED),
    "rolled back since": Failure(rolled_back_since, "was rolled back from .*v3 is live", RELEASED),
    "released something else": Failure(fault(push="of somebody else"), "v1 .* is not of", RELEASED),
    "not signed in": Failure(fault(whoami="not signed in"), "not logged in.*heroku login"),
    "no CLI": Failure(no_heroku, "no command heroku"),
    "CLI prints no JSON": Failure(fault(releases="rubbish"), "heroku update"),
    "API refuses": Failure(fault(releases="refused"), "failed: Your account .* before making new requests$"),
    "CLI hangs": Failure(fault(releases="hangs"), "took longer than 0.5 s", waits=LIMITS._replace(command=0.5)),
    "/readyz is 503": Failure(site("readyz", (503, "no_answer")), "503 .no_answer.", RELEASED, SOON),
    "the code does not fit": Failure(site("readyz", (503, "ahead_contract")), "ahead_contract: it does not", RELEASED),
    "the old release serves on": Failure(site("serving", lambda: "0" * 40), "and says 000000000000", RELEASED, SOON),
    "the site tells no commit": Failure(site("tells_commit", False), "labs:enable", RELEASED, SOON),
    "a page instead of /readyz": Failure(broken("GET /readyz", 200, "<html>"), "no state", RELEASED, SOON),
    "site unreachable": Failure(unreachable, "does not answer", RELEASED, SOON),
    "/readyz never ends": Failure(
        site("trickling", "/readyz"), "took longer than 0.2 s", RELEASED, SOON._replace(request=0.2)
    ),
    "another deploy meanwhile": Failure(overtaken, "does not any more: .* says 000000000000. Has", RELEASED),
    "a redirect to another site": Failure(
        broken("POST /notes", 302, "https://elsewhere.example/notes"),
        "302 to https://elsewhere",
        RELEASED,
    ),
    "notes open to strangers": Failure(broken("GET /notes", 200, "notes"), "signed out: 200", RELEASED),
    "a note is lost": Failure(broken("GET /notes/7", 200, "another"), "GET /notes/7: the page has no", RELEASED),
    "the account stays": Failure(broken("POST /mypage/delete", 422), "POST /mypage/delete: 422", RELEASED),
    "mailed sign-up without an account": Failure(
        broken("GET /sign-up", 200, "csrf_token"), "machine 127.0.0.1 login EMAIL", RELEASED
    ),
    "dirty tree": Failure(dirty, "not clean .Makefile."),
    "not on main": Failure(another_branch, "feature is checked out"),
    "tests red": Failure(red_tests, "tests are red"),
    "tests without end": Failure(
        tests_without_end, "make test. took longer than 0.5 s", waits=LIMITS._replace(push=0.5)
    ),
    "tests leave files": Failure(tests_that_leave_files, "not clean .left-over."),
    "not in step with upstream": Failure(not_in_step, "main and origin/main differ"),
    "no remote": Failure(no_remote, "no git remote staging"),
    "staging ran nothing": Failure(staging_ran_nothing, "Staging runs nothing", deploy="production"),
    "staging ran another commit": Failure(staging_ran_another, "Staging runs .{8} .v1.", deploy="production"),
    "staging broke since": Failure(staging_broke_since, "broke at POST /notes", deploy="production"),
    "production refuses the promotion": Failure(
        staging_serves(promote="refused"), "took no promotion", deploy="production"
    ),
    "CLI tells no stage of the pipeline": Failure(
        staging_serves(info="no stage"), "heroku update", deploy="production"
    ),
    "CLI invents a status": Failure(staging_serves(releases="another status"), "heroku update", deploy="production"),
    "production's release failed": Failure(
        production_fails, "semicircle-production failed", RELEASED, deploy="production"
    ),
}
