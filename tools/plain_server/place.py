"""Find where everything is on the server, and how the server differs from others."""

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import DeployError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Settings:
    """server.json. What it leaves out has these values.

    Args:
        host: the site's name, as it stands in TRUSTED_HOSTS; health checks send it.
        ports: of the loopback interface, for the web of the live release and that of the next one.
        binds: where HAProxy listens, each as its `bind` line has it.
        admin_socket: of HAProxy, for its runtime API.
        haproxy_user: whom HAProxy becomes once it listens, and whose group may use the socket; "" where it is not root.
        python: makes the virtual environments.
        ready_within: seconds; Heroku gives a web 60 to listen.
        stop_within: seconds from SIGTERM to SIGKILL.
    """

    host: str = "localhost"
    ports: tuple[int, int] = (8001, 8002)
    binds: tuple[str, ...] = (":::80 v4v6",)
    admin_socket: str = "/run/haproxy/admin.sock"
    haproxy_user: str = "haproxy"
    python: str = "/usr/bin/python3"
    ready_within: float = 60.0
    stop_within: float = 30.0


@dataclass(frozen=True)
class Place:
    """Find what is in the folder of a site."""

    root: Path

    @property
    def repository(self) -> Path:
        return self.root / "repository.git"

    @property
    def releases(self) -> Path:
        """Return the folder of the checkouts, each named by its commit."""
        return self.root / "releases"

    @property
    def virtual_environments(self) -> Path:
        return self.root / "venvs"

    @property
    def sessions(self) -> Path:
        """Return the folder with a file for each line of the Procfile that was started, named by its session."""
        return self.root / "sessions"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @cached_property
    def settings(self) -> Settings:
        """
        Raises:
            DeployError: server.json cannot be used.
        """
        file = self.root / "server.json"
        try:
            return _settings(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DeployError(f"{file} cannot be used: {error}; docs/plain-server.md describes it.") from None

    def environment(self) -> dict[str, str]:
        """Read the app's environment: NAME=value a line, as it is, without quotes.

        Raises:
            DeployError: a line is nothing of the kind; the message does not show it, since it may hold a secret.
        """
        file = self.root / "environment"
        found = {}
        try:
            lines = file.read_text("utf-8").splitlines()
        except OSError as error:
            raise DeployError(f"{file} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise DeployError(f"{file} is not UTF-8 text.") from None
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not equals or not NAME.fullmatch(name) or "\0" in value:
                raise DeployError(f"{file}:{number} is not NAME=value.")
            found[name] = value
        return found

    def environment_of(self, commit: str, version: int) -> dict[str, str]:
        """Return the environment of a process of a release: nothing of ours, such as the variables of git's hooks."""
        python = self.releases / commit / ".venv"
        own = self.environment()
        return {
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            # As Heroku calls them, so that the app need not know where it runs.
            "HEROKU_SLUG_COMMIT": commit,
            "HEROKU_RELEASE_VERSION": f"v{version}",
            **own,
            "VIRTUAL_ENV": str(python),
            "PATH": f"{python / 'bin'}:{own.get('PATH', SYSTEM_PATH)}",
        }


def _settings(given: Any) -> Settings:
    """
    Raises:
        ValueError: what is given is no settings.
    """
    defaults = vars(Settings())
    if not isinstance(given, dict) or given.keys() - defaults.keys():
        raise ValueError(f"it has to be an object of {', '.join(sorted(defaults))}")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name, value in values.items():
        kinds = (int, float) if isinstance(defaults[name], float) else (type(defaults[name]),)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{name} is not of the kind that docs/plain-server.md shows")
    settings = Settings(**values)
    if len(set(settings.ports)) != 2 or not all(type(port) is int and 0 < port < 65536 for port in settings.ports):
        raise ValueError("ports have to be two different ones from 1 to 65535")
    if not settings.binds or not all(str(bind).isprintable() for bind in settings.binds):
        raise ValueError("binds have to be texts such as :::80 v4v6, one at least")
    if not (settings.host.isprintable() and settings.admin_socket.isprintable()):
        raise ValueError("host or admin_socket holds a line break")
    return settings
