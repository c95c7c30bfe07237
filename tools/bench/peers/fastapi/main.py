"""The peer in FastAPI with SQLAlchemy, as their documentation writes it: dependencies, models, an asynchronous session.

https://fastapi.tiangolo.com/tutorial/sql-databases/, https://docs.sqlalchemy.org/en/21/orm/extensions/asyncio.html
The session is Starlette's signed cookie. FastAPI has nothing against CSRF.
"""

import os
from datetime import datetime
from typing import Annotated

from argon2 import PasswordHasher
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.middleware.sessions import SessionMiddleware

from tools.bench.peers.fastapi import api
from tools.bench.peers.fastapi.database import SessionDep

PAGE_SIZE = 20
FORM = '<form method="post"><input name="email"><input name="password" type="password"><button>Sign in</button></form>'

templates = Jinja2Templates(directory=os.environ["TEMPLATES"])

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"], https_only=True)
app.include_router(api.router)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    nickname: Mapped[str]
    password_hash: Mapped[str]


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    content: Mapped[str]
    pinned: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


async def get_user(request: Request, session: SessionDep) -> User:
    user = await session.get(User, request.session.get("user_id", 0))
    if user is None:
        raise HTTPException(status_code=302, headers={"Location": "/sign-in"})
    return user


UserDep = Annotated[User, Depends(get_user)]


@app.get("/sign-in", response_class=HTMLResponse)
async def sign_in_form() -> str:
    return FORM


@app.post("/sign-in")
async def sign_in(
    request: Request, session: SessionDep, email: Annotated[str, Form()], password: Annotated[str, Form()]
) -> RedirectResponse:
    user = (await session.scalars(select(User).where(User.email == email))).one()
    PasswordHasher().verify(user.password_hash, password)
    request.session["user_id"] = user.id
    return RedirectResponse("/notes", status_code=302)


@app.get("/notes", response_class=HTMLResponse)
async def index(request: Request, session: SessionDep, user: UserDep) -> HTMLResponse:
    statement = (
        select(Note)
        .where(Note.user_id == user.id, Note.deleted_at.is_(None))
        .order_by(Note.pinned.desc(), Note.created_at.desc(), Note.id.desc())
        .limit(PAGE_SIZE)
    )
    notes = (await session.scalars(statement)).all()
    return templates.TemplateResponse(request, "index.html", {"notes": notes, "user": user})


@app.post("/notes")
async def create(
    session: SessionDep,
    user: UserDep,
    content: Annotated[str, Form(min_length=1, max_length=2000)],
    title: Annotated[str, Form(max_length=50)] = "",
) -> RedirectResponse:
    session.add(Note(user_id=user.id, title=title, content=content))
    await session.commit()
    return RedirectResponse("/notes", status_code=302)
