"""The strength meter below a new password praises nothing that the server refuses."""

from playwright.sync_api import expect

from tests.accounts.passwords import ACCEPTED, EMAIL, NICKNAME, REFUSED
from tests.browser.site import Site
from tests.browser.window import Window
from tests.conftest import PASSWORD

# Types each password, and reads what the meter says. All in one go: there are many.
READ = """
([field, passwords]) => passwords.map((password) => {
  field.value = password;
  field.dispatchEvent(new Event("input"));
  return document.querySelector("[data-strength] [role=status]").textContent;
})
"""


def strengths(window: Window, site: Site, passwords: list[str]) -> dict[str, str]:
    """Return what the page of a new account says of each, for a person with the names of the table."""
    tab = window.tab
    tab.goto(f"{window.url}/sign-up/{site.ids['sign_up_token']}")
    tab.locator("[name=nickname]").fill(NICKNAME)
    tab.locator("[name=username]").evaluate("(field, email) => { field.value = email; }", EMAIL)
    field = tab.locator("[name=password]").element_handle()
    return dict(zip(passwords, tab.evaluate(READ, [field, passwords]), strict=True))


def test_what_the_server_refuses_is_weak(window: Window, site: Site) -> None:
    """But for a long one of the list, which only the server has: 안녕하세요, typed on a Latin keyboard."""
    said = strengths(window, site, [password for password, _ in REFUSED])
    weak = said["aaaaaaaaaa"]
    assert weak.endswith("weak")
    assert {password for password, words in said.items() if words != weak} <= {"dkssudgktpdy"}


def test_a_long_sentence_is_strong(window: Window, site: Site) -> None:
    said = strengths(window, site, [*ACCEPTED, "aaaaaaaaaa"])
    for sentence in ("correct horse battery staple", "아침마다 커피를 두 잔 마셔요"):
        assert said[sentence].endswith("strong")
    weak = [password for password in ACCEPTED if said[password] == said["aaaaaaaaaa"]]
    assert len(weak) < len(ACCEPTED) / 6, weak


def test_the_error_of_a_refused_password_goes_when_the_next_one_is_good(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/mypage/edit")
    tab.get_by_label("Current password").fill(PASSWORD)
    field = tab.get_by_label("New password")
    field.fill("aaaaaaaaaa")
    field.press("Enter")
    error = tab.locator("#new_password-error")
    expect(error).to_be_visible()
    field.fill("aaaaaaaaab")
    expect(error).to_be_visible()
    field.fill("correct horse battery staple")
    expect(error).to_have_count(0)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    window.console_errors()  # of the status 422
