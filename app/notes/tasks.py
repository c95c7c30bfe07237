"""Read the tags of all notes again when the rule of what a tag is has changed, so that the pages and the index agree.

It is a job and no backfill of a revision, since the rule is a parser's. Each batch is a transaction and remembers how
far it came, so the job may die at any line. All are read twice, with LATER between: meanwhile the release before may
still serve, and writes tags by its own rule.
"""

import time
from datetime import timedelta

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.extensions import db
from app.jobs.queue import queue
from app.notes.models import Note, TagReading
from app.notes.texts import tags_of

RULE = 3  # one more when tags_of() begins to find others in a text that is stored
BATCH = 200  # notes
SECONDS = 120.0  # of a run; the next one goes on
LATER = timedelta(hours=1)
DONE = -1  # of `read_up_to`: read for the second time
_NEXT = (
    select(Note.id, Note.title, Note.content, Note.tags, Note.version)
    .where(Note.id > bindparam("after"))
    .order_by(Note.id)
)
_IS_DUE = TagReading.ended_at.is_(None) | ((TagReading.read_up_to != DONE) & (TagReading.ended_at < func.now() - LATER))
# All before the first is changed, in the order in which selection.py locks them: a change locks the person's figures
# too, for which an edit of another of these notes would wait (deadlock).
_LOCK = (
    select(Note.id)
    .where(Note.id.in_(bindparam("ids", expanding=True)))
    .order_by(Note.id)
    .with_for_update(key_share=True)
)
_SET_TAGS = (
    update(Note)
    .where(Note.id == bindparam("note_id"), Note.version == bindparam("read_version"))
    .values(version=Note.version + 1)
)


@queue.periodic(cron="*/5 * * * *")
@queue.task(name="notes.read_tags_again", queueing_lock="notes.read_tags_again")
def read_tags_again(timestamp: int) -> None:
    """Read notes in the order of their ids until all were read by the present rule, or for SECONDS."""
    begin = time.monotonic()
    while time.monotonic() - begin < SECONDS and read_batch():
        pass


def read_batch() -> bool:
    """Read one batch; return True if there may be more. A note that is edited meanwhile has its tags by that edit."""
    db.session.execute(insert(TagReading).values(id=RULE).on_conflict_do_nothing())
    mine = select(TagReading).where(TagReading.id == RULE, _IS_DUE)
    reading = db.session.scalar(mine.with_for_update(skip_locked=True))
    notes = db.session.execute(_NEXT.limit(BATCH), {"after": reading.read_up_to}).all() if reading else []
    changed = [(note, tags) for note in notes if (tags := tags_of(note.title, note.content)) != note.tags]
    db.session.execute(_LOCK, {"ids": [note.id for note, _ in changed]})
    for note, tags in changed:
        db.session.execute(_SET_TAGS.values(tags=tags), {"note_id": note.id, "read_version": note.version})
    if reading and notes:
        reading.read_up_to = notes[-1].id
    elif reading:
        reading.read_up_to = DONE if reading.ended_at else 0
        reading.ended_at = func.now()
    db.session.commit()
    return bool(notes)
