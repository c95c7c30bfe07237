"""The browser and the operating system are parsed from the User-Agent headers of recent browsers."""

import pytest

from app.accounts.browser_session import browser_and_system

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "browser", "system"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome", "Windows"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome", "ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome", "Android"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {IOS} CriOS/140.0.7339.39 Mobile/15E148 "
            "Safari/604.1",
            "Chrome",
            "iPhone",
        ),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {IOS} Version/18.6 Safari/605.1.15",
            "Safari",
            "macOS",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) {IOS} Version/16.6 Mobile/15E148 Safari/604.1",
            "Safari",
            "iPad",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox", "Linux"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 15_6 like Mac OS X) {IOS} FxiOS/143.0 Mobile/15E148 Safari/605.1.15",
            "Firefox",
            "iPhone",
        ),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge",
            "Windows",
        ),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/138.0.0.0 Whale/4.33.325.17 Safari/537.36",
            "Whale",
            "Windows",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet",
            "Android",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 15; SM-S926N Build/AP3A; wv) {WEBKIT} Version/4.0 Chrome/139.0 Mobile "
            "Safari/537.36;KAKAOTALK 2511050",
            "KakaoTalk",
            "Android",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {IOS} Mobile/15E148 NAVER(inapp; search; 1100)",
            "NAVER",
            "iPhone",
        ),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/139 OPR/124", "Opera", "macOS"),
        ("curl/8.5.0", "curl", None),
        ("Mozilla/5.0 (Windows NT 10.0) Something/1.0", None, "Windows"),
        ("python-requests/2.32", None, None),
        ("Mozilla/5.0", None, None),
        ("", None, None),
    ],
)
def test_browser_and_system_are_parsed_from_the_user_agent(
    user_agent: str, browser: str | None, system: str | None
) -> None:
    assert browser_and_system(user_agent) == (browser, system)
