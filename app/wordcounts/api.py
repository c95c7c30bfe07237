"""/wordcounts: ask for one, wait for it, read it, delete it."""

import uuid
from datetime import datetime
from typing import Any, Literal

from flask import url_for
from pydantic import Field
from werkzeug.wrappers import Response

from app.api.document import NEXT, Answer, bp, caller, created, operation, too_many_requests
from app.api.messages import answer, checked, cursor_of, key_of, page
from app.rejection import RowNotFound
from app.schemas import Body, IdempotencyKey, Page, Parameters
from app.wordcounts import service
from app.wordcounts.forms import AskForm, failure_sentence, rate_limit_sentence
from app.wordcounts.models import FAILED, URL_LENGTH

ASK_AGAIN = "2"  # seconds


class WordCount(Answer):
    id: uuid.UUID
    url: str
    title: str | None
    status: Literal["queued", "running", "done", "failed"]
    created_at: datetime


class Result(WordCount):
    final_url: str | None
    error: str | None = Field(description="why it failed, in your language")
    total_words: int | None
    unique_words: int | None
    truncated: bool
    finished_at: datetime | None
    words: dict[str, int] | None = Field(description="each word and how often it occurs, the most frequent ones")


class WordCountPage(Answer):
    wordcounts: list[WordCount]
    next: str | None = NEXT


class AddedWordCount(Body):
    url: str = Field(json_schema_extra={"minLength": 1, "maxLength": URL_LENGTH}, examples=["https://example.com/"])


class Wait(Parameters):
    wait: float = Field(
        0, ge=0, le=service.LONGEST_WAIT, description="seconds until the answer, if it is not done before"
    )
    stop_words: Literal["keep", "drop"] = "drop"


@bp.errorhandler(service.HourlyLimitReached)
@bp.errorhandler(service.TooManyUnfinished)
def rate_limited(error: service.HourlyLimitReached | service.TooManyUnfinished) -> Response:
    return too_many_requests(error, rate_limit_sentence(error))


@operation("GET", "/wordcounts", "wordcounts:read", WordCountPage)
def list_wordcounts(query: Page) -> Response:
    """List word counts, the newest first, 20 a page"""
    results, older = service.list_results(caller().id, cursor_of(query, service.KEY_BOUNDS))
    return page("wordcounts", [as_json(result, WordCount) for result in results], older)


@operation("POST", "/wordcounts", "wordcounts:write", Result, 202, may=[410], tells=["Location", "Retry-After"])
def create_wordcount(body: AddedWordCount, headers: IdempotencyKey) -> Response:
    """Count the words of a web page

    The answer comes before the words are counted. Ask its Location for the result.
    """
    form = checked(AskForm, body.model_dump())
    public_id = service.ask(caller().id, form.url.data, key_of(headers))
    with created():
        result = service.get_result(caller().id, public_id)
    where = {"Location": url_for("api.show_wordcount", public_id=public_id), "Retry-After": ASK_AGAIN}
    return answer(as_json(result, Result), 202, where)


@operation("GET", "/wordcounts/<uuid:public_id>", "wordcounts:read", Result, may=[404], tells=["Retry-After"])
def show_wordcount(public_id: uuid.UUID, query: Wait) -> Response:
    """Read a word count; with wait, as soon as it is finished"""
    result = service.wait_for_result(caller().id, public_id, query.wait, query.stop_words)
    if not result.is_own:  # it is shared, for who has its page's address
        raise RowNotFound
    return answer(as_json(result, Result), headers={} if result.finished_at else {"Retry-After": ASK_AGAIN})


@operation("DELETE", "/wordcounts/<uuid:public_id>", "wordcounts:write", may=[404])
def delete_wordcount(public_id: uuid.UUID) -> None:
    """Delete a word count"""
    service.delete_result(caller().id, public_id)


def as_json(result: service.ResultRow, shown: type[WordCount]) -> dict[str, Any]:
    found = {name: getattr(result, name, None) for name in shown.model_fields} | {"id": result.public_id}
    if shown is Result:
        found["error"] = failure_sentence(result.error, result.url) if result.status == FAILED else None
    return found
