"""What the platform's own server does: calls the API with its key, and repeats what was not answered."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from escrow.domain.errors import Refused
from escrow.trust import trusted_authorities

#: Every write is idempotent, so a call without an answer is made again, for this long.
_RETRY_SECONDS = 40.0
_PAUSE_SECONDS = 0.3
_PAGE = 200


class PlatformApi:
    """The API as one platform sees it; close it with `aclose()`.

    Args:
        numbers: what its request numbers begin with; another one for each life of the platform's server.

    Every method raises `Refused` with the code of the problem that was answered.
    """

    def __init__(self, base_url: str, key: str, *, numbers: str = "R") -> None:
        self._http = httpx2.AsyncClient(
            base_url=f"{base_url}/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=15,
            verify=trusted_authorities(),
            trust_env=False,
        )
        self._numbers = numbers
        self._requests = 0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def next_request_no(self) -> str:
        """A request number of our own that was not used yet."""
        self._requests += 1
        return f"{self._numbers}-{self._requests:04d}"

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """Read a resource."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create something, or give a command."""
        return await self._call("POST", path, body=body)

    async def command(self, order_no: str, command: str, *, by: str, note: str | None = None) -> dict[str, Any]:
        """Give an order a command in the name of a member; `command` is `pay`, `milestones/2/accept` …"""
        body = {"request_no": self.next_request_no(), "by": by, **({} if note is None else {"note": note})}
        return await self.post(f"orders/{order_no}/{command}", body)

    async def accounts(self) -> AsyncIterator[dict[str, Any]]:
        """All accounts of the platform, each with its balance."""
        after = 0
        while page := (await self.get("accounts", after=after, limit=_PAGE))["accounts"]:
            for account in page:
                yield account
            after = page[-1]["cursor"]

    async def lines(self, account: str) -> AsyncIterator[dict[str, Any]]:
        """All lines of one account, oldest first."""
        after = ""
        while page := (await self.get(f"accounts/{account}/history", after=after, limit=_PAGE))["lines"]:
            for line in page:
                yield line
            after = page[-1]["cursor"]

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        give_up_at = asyncio.get_running_loop().time() + _RETRY_SECONDS
        while True:
            too_late = asyncio.get_running_loop().time() > give_up_at
            try:
                answer = await self._http.request(method, f"/{path}", params=query, json=body)
            except httpx2.TransportError as error:
                if too_late:
                    raise Refused("api_away", f"The API does not answer {method} {path}.") from error
            else:
                if answer.is_success:
                    content: dict[str, Any] = answer.json()
                    return content
                if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE or too_late:
                    problem = answer.json()
                    raise Refused(problem["code"], f"{method} {path}: {problem['detail']}", problem)
            await asyncio.sleep(_PAUSE_SECONDS)
