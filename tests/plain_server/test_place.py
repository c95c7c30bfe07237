"""The two files that the operator writes: what is no setting is refused by its name, and no value is shown."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.plain_server.__main__ import COMMANDS
from tools.plain_server.balancer import Balancer, configuration
from tools.plain_server.errors import DeployError
from tools.plain_server.place import Place, Settings
from tools.plain_server.setting_up import set_up

COMMIT = "c" * 40
FILES = sorted((Path(__file__).parents[2] / "tools/plain_server").glob("*.py"))


def test_the_servers_code_runs_under_debians_own_python() -> None:
    """It imports the standard library and itself alone, since it deploys every commit of the app."""
    nodes = [node for path in FILES for node in ast.walk(ast.parse(path.read_text()))]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    assert named
    assert {name.split(".")[0] for name in named} <= set(sys.stdlib_module_names)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("words", [["haproxy"], ["run", "flask", "release", "status"]], ids=" ".join)
def test_only_the_owner_of_the_folder_runs_its_commands(tmp_path: Path, words: list[str]) -> None:
    """Root would leave compiled code that a newer version of it cannot replace, and a lock that no push can take."""
    site = tmp_path / "a site"
    set_up(site)
    os.chown(site, 65534, 65534)
    before = sorted(site.rglob("*"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run([site / "bin/receive", *words], env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "only the owner of the folder runs this: su $(stat -c %U '" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert sorted(site.rglob("*")) == before


def test_a_site_is_made_without_a_word_also_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        set_up(tmp_path / "site")
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "site/repository.git/HEAD").read_text() == "ref: refs/heads/main\n"


PAGE = (Path(__file__).parents[2] / "docs/plain-server.md").read_text()


def test_the_page_has_the_settings_with_their_defaults() -> None:
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in vars(Settings()).items()}
    assert dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", PAGE, re.MULTILINE)) == told


def test_the_page_names_every_command_but_that_of_git() -> None:
    named = re.findall(r"^    receive (\w+)", PAGE, re.MULTILINE)
    assert {*named, "haproxy", "pushed"} == COMMANDS.keys()
    assert "su semicircle -c '/srv/semicircle/bin/receive haproxy' >" in PAGE


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "server.json").write_text("{}")
    (tmp_path / "environment").write_text("# A comment\n\nSECRET_KEY=a=b 'c'\nEMPTY=\n")
    return Place(tmp_path)


def test_a_value_is_what_stands_behind_the_first_equals_sign(place: Place) -> None:
    assert place.environment() == {"SECRET_KEY": "a=b 'c'", "EMPTY": ""}


def test_an_environment_that_no_process_can_get_is_refused_without_its_text(place: Place) -> None:
    lines = (b"hunter2", b"export A=hunter2", b"1A=hunter2", b"=hunter2", b"A=hunter2\0b", b"A=hunter2\xff")
    for line in lines:
        (place.root / "environment").write_bytes(b"A=1\n" + line)
        sentence = "is not UTF-8 text" if line.endswith(b"\xff") else "environment:2 is not NAME=value"
        with pytest.raises(DeployError, match=sentence) as raised:
            place.environment()
        assert "hunter2" not in str(raised.value), line


@pytest.mark.parametrize("name", ["a:b", "a\nb", "a\\b", "a\udcffb"])
def test_a_folder_that_no_path_variable_or_configuration_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeployError, match="name another one"):
        set_up(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="environment cannot be read: No such file"):
        Place(tmp_path).environment()


def test_a_process_gets_the_apps_environment_and_not_the_hooks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    (place.root / "environment").write_text("PATH=/opt/bin\nLANG=ko_KR.UTF-8\n")
    environment = place.environment_of(COMMIT, 7)
    assert environment.keys() == {
        *("HOME", "LANG", "PATH", "PYTHONUNBUFFERED", "VIRTUAL_ENV", "HEROKU_SLUG_COMMIT", "HEROKU_RELEASE_VERSION")
    }
    assert environment["PATH"] == f"{place.releases}/{COMMIT}/.venv/bin:/opt/bin"
    assert environment["LANG"] == "ko_KR.UTF-8"
    assert (environment["HEROKU_SLUG_COMMIT"], environment["HEROKU_RELEASE_VERSION"]) == (COMMIT, "v7")


def test_settings_that_are_left_out_have_their_defaults(place: Place) -> None:
    (place.root / "server.json").write_text('{"host": "notes.example", "ports": [9001, 9002]}')
    assert place.settings == Settings(host="notes.example", ports=(9001, 9002))


@pytest.mark.parametrize(
    "settings",
    [
        *("no JSON", [], {"hosts": "notes.example"}, {"host": "notes\n.example"}, {"ready_within": "60"}),
        *({"ports": ports} for ports in ([8001, 8002, 8003], [8001, 8001], [8001, 65536])),
        *({"binds": binds} for binds in (":80", [], [":80\n    use_backend elsewhere"])),
    ],
)
def test_settings_that_cannot_be_used_are_refused(place: Place, settings: Any) -> None:
    (place.root / "server.json").write_text(settings if isinstance(settings, str) else json.dumps(settings))
    with pytest.raises(DeployError, match=r"server\.json cannot be used: "):
        _ = place.settings


def test_the_configuration_of_haproxy_has_the_settings_and_no_hole(place: Place) -> None:
    (place.root / "server.json").write_text('{"host": "notes.example", "binds": [":80", ":443 ssl crt /certs/"]}')
    printed = configuration(place)
    assert "    bind :80\n    bind :443 ssl crt /certs/\n" in printed
    assert "hdr Host notes.example\n" in printed
    assert "    server 8001 127.0.0.1:8001\n    server 8002 127.0.0.1:8002\n" in printed
    assert "admin.sock mode 660 level admin group haproxy\n" in printed
    assert "$" not in printed


def test_haproxy_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"HAProxy does not answer at .*/nobody .* is it running"):
        Balancer(Settings(admin_socket=str(tmp_path / "nobody"))).require()
