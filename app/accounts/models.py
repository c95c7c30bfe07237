"""Users, their sessions and tokens, and the events of their accounts."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, String, false, func, text
from sqlalchemy.dialects.postgresql import ARRAY, INET, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Id

NAME_LENGTH = 50  # code points of what an owner calls an access token or a passkey


class User(Base):
    __tablename__ = "users"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(120), unique=True)  # lower-case
    nickname: Mapped[str] = mapped_column(String(80), unique=True)  # NFC, as it was typed
    nickname_key: Mapped[str] = mapped_column(String(80), unique=True)  # nicknames.key: look-alikes are equal
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    image_url: Mapped[str | None] = mapped_column(String(255), unique=True)
    email_confirmed_at: Mapped[datetime | None]  # see changes.py
    email_refused_at: Mapped[datetime | None]  # see letters.py
    # Two-step sign-in: the password alone opens no session, see tokens.py.
    passkey_after_password: Mapped[bool] = mapped_column(server_default=false())
    # Chosen for every device. NULL: as the browser asks.
    language: Mapped[str | None] = mapped_column(String(2))
    time_zone: Mapped[str | None] = mapped_column(String(64))  # an IANA name
    # By recount_figures(), see app/figures.py.
    figures_counted_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )


@dataclass
class Account:
    """The account that a request is for. The statement that lets the request in reads it."""

    id: int
    email: str
    nickname: str
    image_url: str | None
    language: str | None
    time_zone: str | None
    created_at: datetime

    is_authenticated: ClassVar[bool] = True


ACCOUNT = (User.id, User.email, User.nickname, User.image_url, User.language, User.time_zone, User.created_at)


class UserSession(Base):
    """A signed-in browser. Its cookie holds a random token, this table only the token's hash."""

    __tablename__ = "user_sessions"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    user_agent: Mapped[str] = mapped_column(String(255))
    ip: Mapped[str | None] = mapped_column(INET)


class Notice(Base):
    """A letter that tells the owner of an account what happened to it. The row stays until the letter is sent."""

    __tablename__ = "notices"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))  # a name of app/accounts/letters.py NOTICES
    email: Mapped[str] = mapped_column(String(120))  # of the account when it happened
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class SignUpLink(Base):
    """The secret of a link that opens an account. As an AccountToken, but for an address that has no account yet."""

    __tablename__ = "sign_up_links"

    id: Mapped[Id]
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)  # NULL until the mail is written
    email: Mapped[str] = mapped_column(String(120))  # where the link is sent
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AccountToken(Base):
    """The secret of a link in a mail. The mail holds a random token, this table only the token's hash."""

    __tablename__ = "account_tokens"
    __table_args__ = (
        CheckConstraint("purpose IN ('reset_password', 'confirm_email', 'change_email')", name="purpose"),
    )

    id: Mapped[Id]
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)  # NULL until the mail is written
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(120))  # where the link is sent
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AccessToken(Base):
    """A key to the API that a person made for a program of theirs. The program has it, this table only its hash."""

    __tablename__ = "access_tokens"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))  # what it may do, see access_tokens.py
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(index=True)  # NULL: never
    last_used_at: Mapped[datetime | None]


class EventKind(StrEnum):
    """Something that happens to an account. A new kind is a new CHECK of `account_events.kind`, in a migration."""

    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_CONFIRMED = "sign_in_confirmed"  # by somebody who was signed in, see recent_sign_in.py
    PASSWORD_REFUSED = "password_refused"  # noqa: S105 - a wrong one, typed by somebody who was signed in
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105 - by a link in a mail
    EMAIL_CHANGE_ASKED = "email_change_asked"
    EMAIL_CHANGED = "email_changed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    SECOND_STEP_ON = "second_step_on"
    SECOND_STEP_OFF = "second_step_off"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODE_REFUSED = "recovery_code_refused"  # by somebody who knew the password
    DEVICE_ENDED = "device_ended"
    OTHER_DEVICES_ENDED = "other_devices_ended"
    EXPORTED = "exported"
    ACCESS_TOKEN_MADE = "access_token_made"  # noqa: S105
    ACCESS_TOKEN_ENDED = "access_token_ended"  # noqa: S105


class AccountEvent(Base):
    """Something that happened to an account, for its owner to read. See events.py."""

    __tablename__ = "account_events"
    __table_args__ = (
        CheckConstraint(f"kind IN {tuple(kind.value for kind in EventKind)}", name="kind"),
        Index(None, "user_id", "id"),  # the owner's list reads it backwards
        Index(
            "ix_account_events_user_id_kind_day",
            *("user_id", "kind", "day"),
            unique=True,
            postgresql_where=text("day IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    day: Mapped[date | None]  # of a kind of which each day has one row alone, which counts them
    times: Mapped[int] = mapped_column(server_default="1")
    user_agent: Mapped[str] = mapped_column(String(255))
    ip: Mapped[str | None] = mapped_column(INET)


class PendingSignIn(Base):
    """A browser that knew the password, and still has to take the second step. Its cookie holds the token."""

    __tablename__ = "pending_sign_ins"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 - SQLAlchemy's name and type

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    password_mark: Mapped[str] = mapped_column(String(64))  # SHA-256 of the password's hash: a new password voids it
    remember: Mapped[bool]
    expires_at: Mapped[datetime] = mapped_column(index=True)
