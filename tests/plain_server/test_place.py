"""The two files that the operator writes: what is no setting is refused by its name, and no value is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from plain_server.balancer import Balancer, configuration
from plain_server.errors import DeployError
from plain_server.place import Place, Settings
from plain_server.setting_up import set_up

COMMIT = "c" * 40


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "server.json").write_text("{}")
    (tmp_path / "environment").write_text("# A comment\n\nSECRET_KEY=a=b 'c'\nEMPTY=\n")
    return Place(tmp_path)


def test_a_value_is_what_stands_behind_the_first_equals_sign(place: Place) -> None:
    assert place.environment() == {"SECRET_KEY": "a=b 'c'", "EMPTY": ""}


@pytest.mark.parametrize("line", ["hunter2", "export A=hunter2", "A B=hunter2", "1A=hunter2", " A=hunter2", "=hunter2"])
def test_a_line_that_is_no_variable_is_refused_without_its_text(place: Place, line: str) -> None:
    (place.root / "environment").write_text(f"A=1\n{line}\n")
    with pytest.raises(DeployError, match=r"environment:2 is not NAME=value") as raised:
        place.environment()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "sentence"), [(b"\xff", "is not UTF-8 text"), (b"a\0b", "environment:1 is not NAME=value")]
)
def test_an_environment_that_no_process_can_get_is_refused_without_its_text(
    place: Place, value: bytes, sentence: str
) -> None:
    (place.root / "environment").write_bytes(b"SECRET_KEY=hunter2" + value)
    with pytest.raises(DeployError, match=sentence) as raised:
        place.environment()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["a:b", "a\nb", "a\\b", "a\tb", "a\udcffb"])
def test_a_folder_that_no_path_variable_or_configuration_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeployError, match="name another one"):
        set_up(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="environment cannot be read: No such file"):
        Place(tmp_path).environment()


def test_a_process_gets_the_environment_of_the_app_and_nothing_of_the_hook(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        "no JSON",
        [],
        {"hosts": "notes.example"},
        {"host": "notes\n.example"},
        {"ready_within": "60"},
        {"ready_within": True},
        {"binds": ":80"},
        {"ports": [8001]},
        {"ports": [8001, 8002, 8003]},
        {"ports": [8001, 8001]},
        {"ports": [8001, 65536]},
        {"ports": ["8001", "8002"]},
        {"binds": []},
        {"binds": [":80\n    use_backend elsewhere"]},
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
