"""Defer jobs that take a while: letters to a mail server that is slow to accept them, a stream that never ends."""

import asyncio
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask

from app.extensions import db
from app.jobs.queue import defer
from tests.mail.smtp_server import Mailbox
from tools.bench.load import meanwhile

SECONDS = 1.5  # that the server takes for a letter; the worker sends two at once
EVERY = 1.0  # seconds between two letters


class SlowMailbox(Mailbox):
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(SECONDS)
        return await super().handle_DATA(server, session, envelope)


@dataclass
class Letters:
    mailbox: SlowMailbox = field(default_factory=SlowMailbox)
    deferred: list[str] = field(default_factory=list)  # addresses to which a letter was promised, each once

    @property
    def lost(self) -> int:
        return len(set(self.deferred) - set(self.mailbox.recipients))

    @property
    def twice(self) -> int:
        return sum(number > 1 for number in Counter(self.mailbox.recipients).values())

    def written(self, app: Flask, users: range) -> AbstractContextManager[None]:
        """Write a letter to one user after the other, as long as the block runs."""
        return meanwhile(partial(self._write, app, users))

    def _write(self, app: Flask, users: range, stopped: Event) -> None:
        for user_id in users:
            with app.app_context():
                defer("accounts.send_confirmation", user_id=user_id, language="en")
                db.session.commit()
            self.deferred.append(f"user{user_id}@example.com")
            if stopped.wait(EVERY):
                return
