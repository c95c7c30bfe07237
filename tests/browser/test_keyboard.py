"""The main journeys, by keyboard only."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app.accounts import sign_up_links
from app.accounts.models import SignUpLink
from app.extensions import db
from tests.browser import controls
from tests.browser.axe import axe_violations
from tests.browser.keyboard import Control, Keyboard
from tests.browser.site import Site
from tests.browser.window import Window, Windows
from tests.conftest import PASSWORD

one_size = pytest.mark.parametrize("window", ["desk"], indirect=True)
OUTLINE = "<style>:focus { outline: 3px solid }</style>"


@pytest.fixture(params=["desk", "phone"])
def window(request: pytest.FixtureRequest, windows: Windows) -> Window:
    window = windows.fresh("en")
    window.emulate("light", request.param)
    return window


@pytest.fixture
def keyboard(window: Window) -> Keyboard:
    return Keyboard(window.tab)


def sign_up(site: Site, window: Window, keyboard: Keyboard, name: str) -> None:
    window.tab.goto(window.url)
    keyboard.press(controls.SIGN_UP)
    keyboard.is_at("/sign-up")
    keyboard.write(controls.EMAIL, f"{name}@example.com")
    keyboard.press(controls.SEND_LINK)
    keyboard.sees(controls.ASK_AGAIN)
    window.tab.goto(window.url + mailed_link(site, f"{name}@example.com"))
    keyboard.write(controls.NICKNAME, name)
    keyboard.write(controls.PASSWORD, PASSWORD)
    keyboard.press(controls.CREATE_ACCOUNT)
    keyboard.is_at("/notes")


def mailed_link(site: Site, email: str) -> str:
    """Return the path in a letter to this address, with a token of its own: the worker draws again and again the one
    that was asked for, since no mail server listens here.
    """
    with site.app.app_context():
        db.session.scalars(select(SignUpLink.id).where(SignUpLink.email == email)).one()
        token, _email = sign_up_links.draw(sign_up_links.reserve(email))
    return f"/sign-up/{token}"


def test_from_signing_up_to_signing_out(
    site: Site, window: Window, keyboard: Keyboard, request: pytest.FixtureRequest
) -> None:
    sign_up(site, window, keyboard, f"keys-{request.node.callspec.id}")

    keyboard.write(controls.TITLE, "Half a moon")
    keyboard.write(controls.TEXT, "반만 적어 두세요.")
    keyboard.press(controls.SAVE)
    keyboard.press(controls.link("Half a moon"))
    keyboard.is_at("/notes/[0-9]+")

    keyboard.press(controls.EDIT)
    keyboard.is_at(r"/notes/[0-9]+/edit\?next=/notes/[0-9]+")
    keyboard.write(controls.TITLE, "The other half")
    keyboard.press(controls.SAVE)
    keyboard.is_at("/notes/[0-9]+")

    keyboard.press(controls.DELETE)
    keyboard.is_at("/notes")
    keyboard.does_not_see(controls.link("The other half"))
    assert not axe_violations(window.tab), "beside the message with the button to undo it"
    keyboard.press(controls.UNDO, "Space")
    keyboard.sees(controls.link("The other half"))

    keyboard.press(controls.TODOS)
    keyboard.is_at("/todos")
    keyboard.write(controls.NEW_TODO, "look at the moon")
    keyboard.press(controls.ADD)
    keyboard.press(controls.complete("look at the moon"), "Space")
    expect(window.tab.locator("#done-ones")).to_be_visible()  # the server's list has come, and nothing moves any more

    keyboard.press(controls.SIGN_OUT)
    keyboard.is_at("/sign-in")
    assert not window.console_errors()


@one_size
def test_a_control_without_a_focus_ring_fails(window: Window, keyboard: Keyboard) -> None:
    window.serve("<style>* { outline: none }</style><button>Save</button>", "/planted")
    with pytest.raises(AssertionError, match="no outline: <button>Save"):
        keyboard.go_to(controls.SAVE)


@one_size
def test_a_control_behind_another_fails(window: Window, keyboard: Keyboard) -> None:
    cover = '<div style="position: fixed; inset: 0; background: white">cover</div>'
    window.serve(f"{OUTLINE}<button>Save</button>{cover}", "/planted")
    with pytest.raises(AssertionError, match=r"covered.*Save"):
        keyboard.go_to(controls.SAVE)


@one_size
def test_a_control_that_tab_skips_fails(window: Window, keyboard: Keyboard) -> None:
    window.serve(f'{OUTLINE}<button tabindex="-1">Save</button><button>Other</button>', "/planted")
    keyboard.go_to(Control("button", "Other"))
    with pytest.raises(AssertionError, match="does not lead to"):
        keyboard.go_to(controls.SAVE)
