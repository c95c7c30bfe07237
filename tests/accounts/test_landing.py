"""The landing page: the way in, and the product as a picture that is told in one sentence."""

import re

from tests.visitor import Visitor


def test_it_leads_to_sign_up_and_sign_in(client: Visitor) -> None:
    page = client.get("/").text
    assert 'href="/sign-up"' in page
    assert 'href="/sign-in"' in page


def test_what_it_shows_can_be_neither_reached_nor_read_aloud_but_for_its_caption(client: Visitor) -> None:
    [shown] = re.findall(
        r'<figure class="shown">\s*<div aria-hidden="true">(.*)</div>\s*<figcaption', client.get("/").text, re.DOTALL
    )
    assert shown
    assert not re.search(r"<(a|button|input|details|form)\b|tabindex|\bid=", shown)


def test_it_needs_no_script_of_its_own(client: Visitor) -> None:
    assert len(re.findall(r"<script", client.get("/").text)) == len(re.findall(r"<script", client.get("/offline").text))


def test_who_is_signed_in_goes_on_to_their_notes(signed_in: Visitor) -> None:
    assert signed_in.get("/").location == "/notes"
