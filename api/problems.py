"""The one mapping of errors to HTTP: RFC 9457 problem details with a stable `code`.

Every code that the API can answer stands in `api.catalogue` with its status and what the caller does next; the
OpenAPI document of each endpoint is made from the same table.
"""

from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.catalogue import CATALOGUE, Entry
from escrow.domain.errors import BankDeclined, BankUnreachable, EscrowError, LedgerUnavailable, OutcomeUnknown

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class TemporalUnavailable(EscrowError):
    """Temporal does not answer; nothing is known of this call beyond what the ledger holds. Repeat it."""


class OrderBusy(EscrowError):
    """The workflow has the command but did not answer in time. Repeat the same request to learn the outcome."""


class Unauthorized(EscrowError):
    """No bearer key, or none that opens a platform."""


_CLOSED_LINES = ("public_internet_closed", "certificate_not_registered", "certificate_expired")
#: Codes that every authenticated endpoint can answer.
ALWAYS = ("invalid_request", "unauthorized", *_CLOSED_LINES, "ledger_unavailable", "internal_error")


class FieldError(BaseModel):
    """One field of the request that does not fit."""

    field: str = Field(description="Path of the field, e.g. `body.milestones.1.amount_fen`.")
    reason: str


class Problem(BaseModel):
    """Problem details (RFC 9457). Decide by `code`; `detail` is for people."""

    model_config = ConfigDict(json_schema_extra={"required": ["type", "title", "status", "detail", "code"]})

    type: str = Field(description="`urn:escrow:problem:{code}`")
    title: str
    status: int
    detail: str = Field(description="What happened and what to do next.")
    code: str = Field(description="Stable; decide by it.")
    details: dict[str, Any] | None = Field(default=None, description="Further facts; amounts in fen.")
    errors: list[FieldError] | None = Field(default=None, description="With `invalid_request`: the fields.")


def problem_of(code: str, detail: str, details: dict[str, Any] | None = None) -> Problem:
    """Problem for a code; one that the catalogue lacks is a rule's refusal that a newer worker knows: 409."""
    entry = CATALOGUE.get(code) or Entry(HTTPStatus.CONFLICT, "Refused by a rule", "See the message.")
    return Problem(
        type=f"urn:escrow:problem:{code}",
        title=entry.title,
        status=entry.status,
        detail=detail or entry.advice,
        code=code,
        details=details or None,
    )


def answer(problem: Problem) -> JSONResponse:
    """HTTP answer that carries the problem; one that passes by itself says when to repeat."""
    headers: dict[str, str] = {}
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        problem.model_dump(exclude_none=True), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
    )


def code_of(error: EscrowError) -> str:
    """Public code of an error: a rule's refusal has its own, other classes have one each."""
    match error:
        case LedgerUnavailable():
            return "ledger_unavailable"
        case BankDeclined():
            return "bank_declined"
        case BankUnreachable():
            return "bank_unreachable"
        case OutcomeUnknown():
            return "outcome_unknown"
        case _:
            return error.code


async def on_escrow_error(_: Request, error: Exception) -> JSONResponse:
    """Answer one of our own errors."""
    if not isinstance(error, EscrowError):
        raise error
    return answer(problem_of(code_of(error), error.message, error.details))


async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that does not fit its description; the values sent are not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    problem = problem_of("invalid_request", CATALOGUE["invalid_request"].advice)
    problem.errors = [
        FieldError(field=".".join(str(part) for part in item["loc"]), reason=str(item["msg"]))
        for item in error.errors()
    ]
    return answer(problem)


async def on_http_exception(_: Request, error: Exception) -> JSONResponse:
    """Answer what the router itself refuses: unknown paths and methods."""
    if not isinstance(error, HTTPException):
        raise error
    code = "method_not_allowed" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "not_found"
    return answer(problem_of(code, CATALOGUE[code].advice))


async def on_fault(_: Request, __: Exception) -> JSONResponse:
    """Answer anything unforeseen without telling what it was; the server logs it."""
    return answer(problem_of("internal_error", CATALOGUE["internal_error"].advice))


def problems(
    *codes: str, always: Sequence[str] = ALWAYS, repeated: type[BaseModel] | None = None
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of an endpoint that can answer these codes besides those that all can.

    Args:
        repeated: what a repeat of a creating call is answered with, by 200 instead of 201.
    """
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys((*codes, *always)):
        by_status[CATALOGUE[code].status].append(code)
    responses: dict[int | str, dict[str, Any]] = {
        status: {
            "model": Problem,
            "description": " · ".join(f"`{code}`: {CATALOGUE[code].title}" for code in of_status),
            "content": {MEDIA_TYPE: {"examples": {code: _example(code) for code in of_status}}},
        }
        for status, of_status in sorted(by_status.items())
    }
    if repeated is not None:
        responses[200] = {"model": repeated, "description": "Done before under this number, with the same content."}
    return responses


def _example(code: str) -> dict[str, Any]:
    advice = CATALOGUE[code].advice
    return {"summary": advice, "value": problem_of(code, advice).model_dump(exclude_none=True)}
