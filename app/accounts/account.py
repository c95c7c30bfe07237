"""Whose request it is: the account, whether a browser asks or a program."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from app.accounts.models import User


@dataclass(frozen=True)
class Account:
    """What every request knows of the account that it is for. It is read in the statement that lets the request in."""

    id: int
    email: str
    nickname: str
    image_url: str | None
    language: str | None
    time_zone: str | None
    created_at: datetime

    is_authenticated: ClassVar[bool] = True


ACCOUNT = (User.id, User.email, User.nickname, User.image_url, User.language, User.time_zone, User.created_at)
