"""The tables of notes, in the list, the archive and the trash; of their tags, their history, and the links to them."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, Text, false, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Id

TITLE_LENGTH = 120  # code points
CONTENT_LENGTH = 20_000
VERSIONS_KEPT = 20  # of each note, besides the text that it has
SHARE_TOKEN_LENGTH = 22  # characters of Base64 for 128 bits


class TagCount(Base):
    """A tag of a person's notes. Triggers alone write it (revision 0025)."""

    __tablename__ = "tag_counts"
    __table_args__ = (Index("ix_tag_counts_most_used", "user_id", text("used DESC"), "tag"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("figures.user_id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    used: Mapped[int]  # how many notes have it, without those in the archive and the trash


class NoteTag(Base):
    """A note of the list that has a tag, in the order of the list. Triggers alone write it (revisions 0025, 0040)."""

    __tablename__ = "note_tags"

    user_id: Mapped[int] = mapped_column(ForeignKey("figures.user_id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    pinned: Mapped[bool] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class TagReading(Base):
    """Remember how far the notes were read by a rule of what a tag is, see tasks.py."""

    __tablename__ = "tag_readings"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # RULE of tasks.py
    read_up_to: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # the id of a note
    ended_at: Mapped[datetime | None]


class NoteShare(Base):
    """The secret link of a note that is shared, see sharing.py. Ending the sharing deletes the row."""

    __tablename__ = "note_shares"
    __table_args__ = (Index(None, "user_id", "id"),)  # what one person shares, the last shared first

    id: Mapped[Id]
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), unique=True)
    user_id: Mapped[int] = mapped_column(BigInteger)  # the note's, which never changes
    # As it is and not as a hash: its owner is shown the link again. It opens nothing that does not stand beside it.
    token: Mapped[str] = mapped_column(String(SHARE_TOKEN_LENGTH, collation="C"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NoteVersion(Base):
    """Hold what a note said before an edit, see versions.py. Of each note the newest VERSIONS_KEPT stay."""

    __tablename__ = "note_versions"

    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)  # the note's, as it was
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    content: Mapped[str] = mapped_column(String(CONTENT_LENGTH))
    saved_at: Mapped[datetime]  # since when the note had said so


class Note(Base):
    __tablename__ = "notes"
    __table_args__ = (
        # The list reads this index backwards, one page at a time: pinned notes first, then the newest.
        Index(
            "ix_notes_listed",
            *("user_id", "pinned", "created_at", "id"),
            postgresql_where=text("deleted_at IS NULL AND archived_at IS NULL"),
        ),
        # The same with the archive: the notes of a day, the heat map, the walk of the search. Releases before revision
        # 0041 also read their list by it.
        Index(None, "user_id", "pinned", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
        # The archive, what was put away last first.
        Index(
            "ix_notes_archived",
            *("user_id", "archived_at", "id"),
            postgresql_where=text("deleted_at IS NULL AND archived_at IS NOT NULL"),
        ),
        # All notes of a user, the deleted ones too: for the cascade from users. Releases before revision 0015 also read
        # their list by it; that revision says what could replace it.
        Index(None, "user_id", "pinned", "id"),
        # The trash, the last deleted first.
        Index(None, "user_id", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
        # The search, see search_statements.py. The functions are in revisions 0030, 0036 and 0055.
        Index(
            "ix_notes_terms",
            text("note_terms(user_id, title, content, tags)"),
            postgresql_using="gin",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_notes_folded",
            text("note_folded_terms(user_id, title, content, tags)"),
            postgresql_using="gin",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_notes_long",
            *("user_id", "pinned", "created_at", "id"),
            postgresql_where=text("deleted_at IS NULL AND char_length(content) > 2000"),
        ),
        Index(None, "user_id", "idempotency_key", unique=True, postgresql_where=text("idempotency_key IS NOT NULL")),
        Index(
            "ix_notes_initials",
            text("note_initials(user_id, title, content)"),
            postgresql_using="gin",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # The changes since a transaction, see app/sync.py.
        Index("ix_notes_changed", "user_id", "changed", "id", postgresql_where=text("changed IS NOT NULL")),
        # The nightly purge of everybody's trash.
        Index("ix_notes_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    content: Mapped[str] = mapped_column(String(CONTENT_LENGTH))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))  # see app/notes/texts.py
    tasks: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))  # all and done; a trigger alone writes it
    pinned: Mapped[bool] = mapped_column(server_default=false())
    version: Mapped[int] = mapped_column(server_default=text("1"))  # optimistic locking: each change adds one
    # The version since which it has had its text, NULL: this one, at which it was before revision 0062. A trigger alone
    # writes it, and the two below: the transaction that changed the note last, and when that was.
    text_version: Mapped[int | None]
    changed: Mapped[int | None] = mapped_column(BigInteger)
    changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]  # soft delete: in the trash since then
    archived_at: Mapped[datetime | None]  # in the archive since then
    idempotency_key: Mapped[uuid.UUID | None]  # of the request that stored it, see app/limits/quotas.py
