"""Passkeys (WebAuthn credentials), recovery codes, and the challenges that a browser is to answer."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ForeignKey, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base, Id

NAME_LENGTH = 50  # code points


class Passkey(Base):
    """A public key. The private one never leaves the reader's device, so nothing here is worth stealing."""

    __tablename__ = "passkeys"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # up to 1,023 bytes, drawn by the device
    public_key: Mapped[bytes] = mapped_column(LargeBinary)  # a COSE key
    # The user handle: random, so that it tells the device nothing, and the same for all passkeys of an account.
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)  # stays 0 for a passkey that is kept on several devices
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    transports: Mapped[list[str]] = mapped_column(ARRAY(String(20)))  # how to reach the device, as "usb"
    backed_up: Mapped[bool]  # kept by a password manager, so that losing one device does not lose it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A single-use code that stands in for a passkey. Only its hash is stored."""

    __tablename__ = "recovery_codes"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(255))
    used_at: Mapped[datetime | None]


class Challenge(Base):
    """Bytes that a browser is to sign. The row is deleted by the first answer, so a replayed one finds nothing."""

    __tablename__ = "passkey_challenges"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 - SQLAlchemy's name and type

    id: Mapped[Id]
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    purpose: Mapped[str] = mapped_column(String(20))
    # NULL: nobody knows yet who will answer.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_handle: Mapped[bytes | None] = mapped_column(LargeBinary)  # of the passkey that is to be made
    expires_at: Mapped[datetime] = mapped_column(index=True)
