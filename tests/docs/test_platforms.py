"""docs/platforms.md: its tables are whole, and its recipes fit the Procfile, app.json, our limits and each platform.

A rule of a platform stands here as its own source has it, so that a recipe which breaks it is red without an account.
"""

import json
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import create_app
from app.jobs.worker import EXIT_AFTER
from config import ProductionConfig
from tests.test_platform import PRODUCTION, sample

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/platforms.md").read_text()
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
PLATFORMS = ("Heroku Cedar", "Heroku Fir", "Dokku", "piku", "Scalingo", "Render", "Railway", "Fly.io", "Clever Cloud")
# What a platform itself reads, and we do not.
THEIRS = {
    *("NGINX_SERVER_NAME", "NGINX_INCLUDE_FILE", "UWSGI_INCLUDE_FILE"),  # piku, docs/ENV.md
    *("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "RAILWAY_DEPLOYMENT_OVERLAP_SECONDS"),  # variables/reference.md
    # Clever Cloud, reference-environment-variables.md
    *("CC_PRE_RUN_HOOK", "CC_RUN_COMMAND", "CC_WORKER_COMMAND", "CC_HEALTH_CHECK_PATH", "CC_PYTHON_VERSION"),
    *("POSTGRESQL_ADDON_URI", "SCALINGO_POSTGRESQL_URL", "PYTHON_VERSION", "CMD"),
}


def tables() -> Iterator[dict[str, list[str]]]:
    """Each table that begins with a platform: the fields of a platform by its name."""
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        [head, _, *rows] = [[field.strip() for field in line.strip("|\n").split("|")] for line in table.splitlines()]
        if head[0] == "platform" and "address" not in head:
            yield {"platform": head[1:]} | {row[0]: row[1:] for row in rows}


def recipe(platform: str) -> str:
    """Return what is said to type there."""
    _, _, what_to_type = PAGE.partition("\n## What to type\n")
    found = re.search(rf"^\*\*{re.escape(platform)}\*\*.*?(?=^\*\*|^## )", what_to_type, re.MULTILINE | re.DOTALL)
    assert found, platform
    return found[0]


def test_each_table_has_every_platform_and_no_empty_field_and_says_what_was_read_and_of_when() -> None:
    found = list(tables())
    assert len(found) == 3
    for table in found:
        assert list(table) == ["platform", *PLATFORMS, "plain server"]
        assert all(len(row) == len(table["platform"]) and all(row) for row in table.values())
    sources = found[-1]
    assert sources.pop("platform")[:2] == ["what was read", "as of"]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d|this commit", of) for _, of, _ in sources.values())


def test_where_the_procfile_is_not_read_its_lines_are_typed() -> None:
    for platform in ("Render", "Railway", "Fly.io", "Clever Cloud"):
        typed = re.findall(r"""["`]((?:python|flask|gunicorn) .+?)(?: --bind [0-9.:]+)?["`]""", recipe(platform))
        lines = {"release", "worker"} | ({"web"} if platform != "Railway" else set())  # where the Dockerfile has it
        assert set(typed) == {PROCFILE[line] for line in lines}, platform


def test_an_image_is_told_the_lines_of_the_procfile() -> None:
    told = re.findall(r"^    docker run .*semicircle ?(.*)$", PAGE, re.MULTILINE)
    assert told == ["", PROCFILE["release"], PROCFILE["worker"]]


def test_every_variable_of_a_recipe_is_read_by_somebody() -> None:
    recipes = "".join(recipe(platform) for platform in PLATFORMS[1:])
    names = re.findall(r"\b([A-Z][A-Z0-9_]{3,})(?:=| =|`| [\"/])", recipes)
    assert set(names) - sample().keys() - THEIRS == set()


def test_dokku_starts_what_app_json_names_and_nobody_scales_there() -> None:
    """Where `formation` has a quantity, `ps:scale` is refused, and types that it does not name are scaled to 0.

    Source: dokku 0.38.27, plugins/app-json/functions.go:423-463, plugins/ps/subcommands.go:170.
    """
    app = json.loads((ROOT / "app.json").read_text())
    assert {name: each["quantity"] for name, each in app["formation"].items()} == {"web": 1, "worker": 1}
    [block] = [part for part in recipe("Dokku").split("\n\n") if "apps:create" in part]
    assert "ps:scale" not in block
    # What its first deploy sets (processAppJSONEnv of the same file): the recipe sets none of it.
    assert app["env"]["SECRET_KEY"]["generator"] == "secret"
    assert app["env"]["APP_SETTINGS"]["value"] == "config.ProductionConfig"
    assert not [name for name in app["env"] if f"{name}=" in block]


def test_piku_is_pushed_to_before_anything_is_set() -> None:
    """Else it says "app not found" (piku ca90545, piku.py:232-239)."""
    block = recipe("piku")
    assert 0 < block.index("git push piku main") < block.index("piku config:set") < block.index("piku ps:scale")
    assert "WEB_HOST=127.0.0.1" in block


def test_nginx_lets_through_what_the_application_takes() -> None:
    """It refuses more than 1 MB by itself (ngx_http_core_module), and reads 130m as mebibytes."""
    views = create_app(ProductionConfig(PRODUCTION)).view_functions.values()
    most = max(getattr(view, "upload_limit", 0) for view in views)
    limits = re.findall(r"client[-_]max[-_]body[-_]size (\d+)m", PAGE)
    assert len(limits) == 2, "Dokku and piku"
    assert all(int(limit) * 1024 * 1024 >= most for limit in limits)


def test_a_platform_waits_until_web_and_worker_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    longest = max(runpy.run_path(str(ROOT / "gunicorn.conf.py"))["graceful_timeout"], EXIT_AFTER)
    waits = re.findall(r"(?:kill_timeout = |DRAINING_SECONDS=|reload-mercy = )(\d+)", PAGE)
    assert len(waits) == 4, "Fly.io, piku, and twice Railway"
    assert all(int(seconds) > longest for seconds in waits)


def test_fly_toml_is_read_as_it_is_meant() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", recipe("Fly.io"), re.DOTALL)
    fly = tomllib.loads(block)
    assert fly["processes"] == {name: PROCFILE[name] for name in ("web", "worker")}
    assert fly["deploy"] == {"release_command": PROCFILE["release"], "strategy": "bluegreen"}
    assert fly["kill_signal"] == "SIGTERM"
    assert fly["env"]["PORT"] == str(fly["http_service"]["internal_port"])
    assert fly["http_service"]["processes"] == ["web"]
    [check] = fly["http_service"]["checks"]  # bluegreen needs one (flyctl ad0172f, strategy_bluegreen.go:985)
    assert check["path"] == "/readyz"


def test_the_port_and_the_number_of_processes_are_set_where_the_platform_would_choose_them() -> None:
    """Scalingo would start 32 in its largest container (python-buildpack v347, vendor/WEB_CONCURRENCY.sh:69-100).

    Clever Cloud takes 9000 of a command of one's own: PORT is read-only (reference-environment-variables.md:346).
    """
    assert "WEB_CONCURRENCY=2" in recipe("Scalingo")
    assert "WEB_CONCURRENCY=2" in recipe("Render")
    assert f'CC_RUN_COMMAND "{PROCFILE["web"]} --bind 0.0.0.0:9000"' in recipe("Clever Cloud")
