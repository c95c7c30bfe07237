"""Find the forms of the site by reading its pages as a crawler does: so a new form is attacked too."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tools.bench.client import Client

# Texts for the fields that are not under attack. A wrong password, so that no request ends the account.
PLAUSIBLE = {
    "email": "somebody@example.com", "new_email": "other@example.com", "nickname": "somebody", "title": "t",
    "content": "c", "description": "d", "url": "https://example.com/", "language": "ko", "time_zone": "Asia/Seoul",
    "password": "not my password", "current_password": "not my password", "new_password": "quite another sentence",
    "password_for_email": "not my password", "version": "1", "pinned": "1", "shared": "1", "direction": "up",
    "completed": "1",
}  # fmt: skip


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)  # name: value of the page
    is_post: bool = True


class FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._open = Form(given.get("action", ""), is_post=given.get("method", "get").lower() == "post")
            self.forms.append(self._open)
        elif tag in ("input", "textarea", "select", "button") and self._open is not None and given.get("name"):
            self._open.fields[given["name"]] = given.get("value", "")
        if "formaction" in given and self._open is not None:  # a button that sends the form elsewhere
            self.forms.append(Form(given["formaction"], self._open.fields, self._open.is_post))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def forms_of(clients: list[Client], pages: list[str]) -> list[tuple[Client, Form]]:
    """Return every form of these pages once, with the client that sees it."""
    found: dict[tuple[str, ...], tuple[Client, Form]] = {}
    for client in clients:
        for page in pages:
            parser = FormParser()
            parser.feed(client.get(page).text)
            for form in parser.forms:
                form.action = form.action or page
                key = (form.action.partition("?")[0], str(form.is_post), *sorted(form.fields))
                if form.action.startswith("/"):
                    found.setdefault(key, (client, form))
    return list(found.values())
