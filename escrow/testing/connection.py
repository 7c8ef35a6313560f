"""The connection of a platform's server to the API: a key, calls that are repeated until answered, typed refusals."""

import asyncio
import itertools
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx2

from escrow.testing.answers import Authorization, Awaiting
from escrow.testing.calls import AnswerType, Call
from escrow.testing.waiting import PATIENCE_SECONDS
from escrow.trust import trusted_authorities

_PAUSE_SECONDS = 0.3


class Refusal(Exception):
    """The API said no.

    Args:
        status: HTTP status.
        code: stable code of the problem; decide by it.
        detail: what happened and what to do next.
        details: further facts, amounts in fen.
    """

    def __init__(self, status: int, code: str, detail: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.details = details


class AwaitsMember(Exception):
    """A call waits for its member to authorise it on a hosted page; the same call then goes on."""

    def __init__(self, authorization: Authorization) -> None:
        super().__init__(f"authorisation {authorization.authorization_id} is {authorization.status}")
        self.authorization = authorization


class Connection:
    """Calls of one platform. Every call is idempotent, so one without an answer, or put off, is made again.

    Args:
        base_url: of the API, without `/v1`.
        key: the platform's key; None for what needs none.
    """

    def __init__(self, base_url: str, key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.http = httpx2.AsyncClient(
            base_url=base_url,
            headers=headers,
            timeout=PATIENCE_SECONDS,
            verify=trusted_authorities(),
            trust_env=False,
        )
        self._requests = itertools.count(1)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    def next_request_no(self) -> str:
        """A request number that this connection has not used yet."""
        return f"R-{next(self._requests):04d}"

    async def call(
        self,
        call: Call[AnswerType],
        body: Mapping[str, Any] | None = None,
        *,
        at: Mapping[str, str | int] = MappingProxyType({}),
        query: Mapping[str, str | int] | None = None,
    ) -> AnswerType:
        """Make a call; `at` fills in the names of its path.

        Raises:
            Refusal: the API said no, or gave no answer in time (`api_away`).
            AwaitsMember: the call waits for its member.
            TypeError: a field or name that the call does not have.
        """
        unknown = {*(body or ())} - call.fields | {*(query or ())} - call.query
        if unknown:
            raise TypeError(f"{call.method} {call.path} has no {', '.join(sorted(unknown))}")
        filled = call.path.format(**{name: quote(str(value), safe="") for name, value in at.items()})
        answer = await self.ask(call.method, filled, body=body, query=query)
        if answer.status_code == HTTPStatus.ACCEPTED:
            raise AwaitsMember(Awaiting.model_validate_json(answer.content).authorization)
        return call.answer.model_validate_json(answer.content)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx2.Response:
        """Send a request until it is answered; the answer that is no refusal.

        Raises:
            Refusal: the API said no, or gave no answer in time (`api_away`).
        """
        clock = asyncio.get_running_loop()
        give_up_at = clock.time() + PATIENCE_SECONDS
        while True:
            too_late = clock.time() > give_up_at
            try:
                answer = await self.http.request(method, path, params=query, json=body)
            except httpx2.TransportError as error:
                if too_late:
                    raise Refusal(0, "api_away", f"The API does not answer {method} {path}: {error!r}", {}) from error
            else:
                if answer.is_success:
                    return answer
                if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or too_late:
                    raise _refusal(answer)
            await asyncio.sleep(_PAUSE_SECONDS)


def _refusal(answer: httpx2.Response) -> Refusal:
    try:
        problem = answer.json()
    except ValueError:  # no problem document: a proxy, or something that is not the API
        problem = {}
    return Refusal(
        answer.status_code,
        problem.get("code", "no_problem_document"),
        problem.get("detail", answer.text[:300]),
        problem.get("details") or {},
    )
