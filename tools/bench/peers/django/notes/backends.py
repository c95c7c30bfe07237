"""How a user is told from a stranger: by the hash of the service, which is argon2's own spelling."""

from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from tools.bench.peers.django.notes.models import User


class EmailBackend(BaseBackend):
    def authenticate(self, request: HttpRequest, email: str = "", password: str = "", **_: Any) -> User | None:
        user = User.objects.filter(email=email).first()
        try:
            return user if user and PasswordHasher().verify(user.password, password) else None
        except VerifyMismatchError:
            return None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id).first()
