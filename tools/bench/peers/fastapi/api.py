"""The list as JSON, with a response model and a bearer token, as FastAPI's documentation writes it.

https://fastapi.tiangolo.com/tutorial/response-model/, https://fastapi.tiangolo.com/reference/security/
The tables are mapped again, with what the API gives too, so that the page need not fetch it.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ARRAY, DateTime, ForeignKey, Text, func, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tools.bench.peers.fastapi.database import SessionDep

SIZE = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

router = APIRouter(prefix="/api/v1")
bearer = HTTPBearer()


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True), list[str]: ARRAY(Text)}  # noqa: RUF012


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    nickname: Mapped[str]


class AccessToken(Base):
    __tablename__ = "access_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[str]
    expires_at: Mapped[datetime | None]


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    content: Mapped[str]
    tags: Mapped[list[str]]
    pinned: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class NotePublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    content: str
    tags: list[str]
    pinned: bool
    version: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    deleted_at: datetime | None


class NotesPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    notes: list[NotePublic]
    next: str | None


async def get_caller(
    session: SessionDep, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> User:
    statement = (
        select(User)
        .join(AccessToken)
        .where(
            AccessToken.token_hash == hashlib.sha256(credentials.credentials.encode()).hexdigest(),
            or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now()),
        )
    )
    user = (await session.scalars(statement)).one_or_none()
    if user is None:
        raise HTTPException(status_code=401, headers={"WWW-Authenticate": "Bearer"})
    return user


CallerDep = Annotated[User, Depends(get_caller)]


@router.get("/notes", response_model=NotesPublic)
async def list_notes(session: SessionDep, caller: CallerDep) -> object:
    statement = (
        select(Note)
        .where(Note.user_id == caller.id, Note.deleted_at.is_(None), Note.archived_at.is_(None))
        .order_by(Note.pinned.desc(), Note.created_at.desc(), Note.id.desc())
        .limit(SIZE + 1)
    )
    found = (await session.scalars(statement)).all()
    return {"notes": found[:SIZE], "next": cursor(found[SIZE - 1]) if len(found) > SIZE else None}


def cursor(note: Note) -> str:
    return f"{note.pinned:d}-{(note.created_at - EPOCH) // timedelta(microseconds=1)}-{note.id}"
