"""Make the demo account, with what it holds in one transaction; the link of a note and the photo afterwards."""

import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import func, select

from app.accounts import service as accounts
from app.accounts.models import User
from app.demo import content
from app.extensions import db
from app.notes.models import Note
from app.notes.sharing import share_note
from app.photos import service as photos
from app.portability import archive
from app.portability.contract import Item, PortableTable
from app.portability.service import Progress, import_archive

EMAIL = "haneul@example.com"  # RFC 2606: no letter arrives there
NICKNAME = "하늘반달"


def create(password: str, portables: Sequence[PortableTable]) -> User:
    """Make the account with its notes, todos and word counts. Its address is confirmed; its password was checked.

    Raises: EmailTaken: it is there already. NicknameTaken: somebody else has that name. Nothing was stored.
    """
    user = accounts.add_user(EMAIL, NICKNAME, password, confirmed=True)
    now: datetime = db.session.execute(select(func.now())).scalar_one()
    lists = content.lists(now)
    user.time_zone = content.ZONE
    user.created_at = datetime.fromisoformat(lists["notes"][0]["created_at"])
    import_archive(user, _export(lists, now), portables, Progress(), replace_photo=False)  # commits the account too
    shared = select(Note.id).where(Note.user_id == user.id, Note.title.in_(content.shared_titles()))
    for note_id in db.session.scalars(shared).all():
        share_note(user.id, note_id)
    return user


def _export(lists: dict[str, list[Item]], now: datetime) -> IO[bytes]:
    """Pack the lists as the ZIP of an export."""
    head = {"format": archive.FORMAT, "version": archive.VERSION, "exported_at": now.isoformat(), "account": {}}
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as packed:
        packed.writestr(archive.DOCUMENT, json.dumps({**head, **lists}, ensure_ascii=False))
    return file


def add_photo(user: User) -> None:
    """Store the photo. Raises: StorageUnavailable, Busy, AccountGone: the account has none."""
    photos.put_photo(user.id, (content.TEXTS / "portrait.webp").read_bytes())
