"""The User-Agent header in two words people know: the browser's name and its system. Pure.

Every browser also names older ones, for compatibility. So the order decides: the first name found is the true one.
"""

from dataclasses import dataclass

BROWSERS = (
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER(", "NAVER"),
    ("Whale/", "Whale"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True)
class SeenFrom:
    """What a browser has sent, and says so in its User-Agent header: a session, an event."""

    user_agent: str

    @property
    def browser(self) -> str | None:
        return browser_of(self.user_agent)

    @property
    def system(self) -> str | None:
        return system_of(self.user_agent)


def browser_of(user_agent: str) -> str | None:
    """ "Chrome"; None for a browser that is not on the list."""
    return _first(BROWSERS, user_agent)


def system_of(user_agent: str) -> str | None:
    """ "Windows"; None for a system that is not on the list."""
    return _first(SYSTEMS, user_agent)


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str | None:
    return next((name for mark, name in names if mark in user_agent), None)
