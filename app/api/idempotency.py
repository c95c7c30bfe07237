"""The header Idempotency-Key of what creates something."""

import uuid

from flask import request
from flask_babel import gettext as _
from pydantic import Field

from app import idempotency
from app.api.blueprint import caller
from app.api.requests import Headers
from app.web.problem import Problem


class IdempotencyKey(Headers):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Drawn by you, such as a UUID. The same request with it creates nothing again for 24 hours.",
    )


def row_key(headers: IdempotencyKey) -> uuid.UUID | None:
    """The key that the service stores with what is created. Call it last before the service.

    Raises:
        Problem: another request had this header.
    """
    if headers.idempotency_key is None:
        return None
    try:
        return idempotency.note(caller().id, headers.idempotency_key, request.path, request.get_data())
    except idempotency.KeyUsed as error:
        sentence = _("Another request had this Idempotency-Key within a day. Draw a new one for each request.")
        wrong = [{"parameter": "Idempotency-Key", "detail": sentence}]
        raise Problem(422, _("Something in the request isn't right"), sentence, errors=wrong) from error
