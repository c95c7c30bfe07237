"""bin/deploy: what it does when nothing fails, and what it makes of a deploy before."""

import re

import pytest

from tests.deployment.conftest import LIMITS, World


def versions(world: World, remote: str) -> list[str]:
    return [f"v{one['version']} {one['status']}: {one['description']}" for one in world.app(remote).releases]


def test_staging_then_production_then_the_same_again(world: World) -> None:
    commit, staging, production = world.head(), world.sites["staging"], world.sites["production"]
    assert world.deploy("staging") == 0
    assert versions(world, "staging") == [f"v1 succeeded: Deploy {commit[:8]}"]
    assert world.production.releases == []
    log = world.log()
    assert re.search(rf"ended: staging runs {commit[:12]} as v1$", log.strip())
    for command in ("make test", f"git push staging {commit}:refs/heads/main", "heroku releases --json"):
        assert f"$ {command}" in log, "the plain commands are printed"
    assert (len(staging.notes), staging.accounts, staging.asked.count("POST /mypage/delete")) == (1, set(), 1)

    assert world.deploy("production") == 0
    assert versions(world, "production") == [f"v1 succeeded: Promote semicircle-staging v1 {commit[:8]}"]
    assert f"`make test` passed for {commit[:12]} at" in world.log(), "and is not run again"
    assert not [asked for asked in production.asked if asked.startswith("POST")], "nothing is written there unasked"
    assert len(staging.notes) == 2, "staging is asked again, whoever deployed there"

    assert world.deploy("staging") == 0
    assert len(world.staging.releases) == 1
    assert world.deploy("production", "--write") == 0
    assert len(production.notes) == 1

    world.commit("Makefile", "test:\n\t@echo 1 failed; false\n")
    assert world.deploy("staging") == 1, "another commit is tested again"
    assert "tests are red" in world.log()


@pytest.mark.parametrize("generation", ["cedar", "fir"])
def test_the_build_of_a_release_that_changed_the_configuration_is_known(world: World, generation: str) -> None:
    """Such a release says what it changed, and has the build of the one before: a slug, or on Fir an image."""
    for app in (world.staging, world.production):
        app.generation = generation
    commit = world.head()
    world.has_released("staging", commit)
    world.staging.add_release("Set SECRET_KEY config vars", commit)
    world.staging.end_releases()
    assert world.deploy("production") == 0
    assert versions(world, "production") == [f"v1 succeeded: Promote semicircle-staging v2 {commit[:8]}"]


def test_without_a_pipeline_the_commit_is_pushed_to_production(world: World) -> None:
    world.heroku.has_pipeline = False
    commit = world.head()
    world.has_released("staging", commit)
    assert world.deploy("production") == 0
    assert versions(world, "production") == [f"v1 succeeded: Deploy {commit[:8]}"]


def test_a_deploy_that_stopped_while_the_release_was_pending_goes_on(world: World) -> None:
    world.staging.outcome = "pending"
    assert world.deploy("staging", limits=LIMITS._replace(release=0.05)) == 1
    world.staging.outcome = "succeeded"
    assert world.deploy("staging") == 0
    assert len(world.staging.releases) == 1


def test_it_serves_only_when_no_process_of_the_release_before_answers_any_more(world: World) -> None:
    answers = iter([world.head()] * 4 + ["0" * 40])
    world.sites["staging"].serving = lambda: next(answers, world.staging.serves)
    assert world.deploy("staging") == 0
    assert world.sites["staging"].asked.count("GET /readyz") == 4 + 1 + 5 + 1, "and once more at the end"
