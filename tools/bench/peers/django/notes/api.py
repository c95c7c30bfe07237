"""The list as JSON: JsonResponse over values(), for whoever sends a token.

https://docs.djangoproject.com/en/6.1/ref/request-response/#jsonresponse-objects
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from tools.bench.peers.django.notes.models import AccessToken, WholeNote

SIZE = 20
NAMES = (
    *("id", "title", "content", "tags", "pinned", "version"),
    *("created_at", "updated_at", "archived_at", "deleted_at"),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

View = Callable[[HttpRequest], HttpResponse]


def token_required(view: View) -> View:
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        alive = Q(expires_at=None) | Q(expires_at__gt=Now())
        tokens = AccessToken.objects.select_related("user")
        found = tokens.filter(alive, token_hash=hashlib.sha256(token.encode()).hexdigest()).first()
        if found is None:
            return JsonResponse({"detail": "Not authenticated"}, status=401, headers={"WWW-Authenticate": "Bearer"})
        request.user = found.user
        return view(request)

    return checked


@require_safe
@token_required
def notes(request: HttpRequest) -> HttpResponse:
    found = list(
        WholeNote.objects.filter(user=request.user, deleted_at=None, archived_at=None).values(*NAMES)[: SIZE + 1]
    )
    return JsonResponse({"notes": found[:SIZE], "next": cursor(found[SIZE - 1]) if len(found) > SIZE else None})


def cursor(note: dict[str, Any]) -> str:
    return f"{note['pinned']:d}-{(note['created_at'] - EPOCH) // timedelta(microseconds=1)}-{note['id']}"
