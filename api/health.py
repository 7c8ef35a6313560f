"""Whether the API lives, whether it can work, and its metrics: for those who run it, without a key."""

import asyncio

from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.dependencies import UsedServices
from api.problems import TemporalUnavailable, problems
from api.schemas import View
from escrow.ledger.engine import ping

router = APIRouter(tags=["operation"])


class Health(View):
    """The process lives."""

    status: str = Field(examples=["ok"])


class Readiness(View):
    """What the API stands on answers."""

    ledger: str = Field(examples=["ok"])
    temporal: str = Field(examples=["ok"])


@router.get("/health", summary="Is the process alive?", responses=problems(always=()))
async def health() -> Health:
    """Answers whenever the process does, whatever else is away."""
    return Health(status="ok")


@router.get(
    "/ready",
    summary="Can it work?",
    responses=problems("ledger_unavailable", "temporal_unavailable", always=()),
)
async def ready(services: UsedServices) -> Readiness:
    """Answers 200 when both the ledger and Temporal answer, else the problem that every call would meet."""
    _, temporal = await asyncio.gather(ping(services.reader), services.processes.is_ready())
    if not temporal:
        raise TemporalUnavailable("temporal_unavailable", "Temporal cannot be reached.")
    return Readiness(ledger="ok", temporal="ok")


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
)
async def metrics(request: Request) -> Response:
    """Calls answered and their duration, by endpoint and status."""
    return Response(request.app.state.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
