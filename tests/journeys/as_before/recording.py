"""Hears a story: every answer of the API and of its pages, by a name and in their order."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx2
from lxml import html

from escrow.testing.client import PlatformUnderTest, until
from escrow.testing.waiting import PATIENCE_SECONDS
from tests.journeys.as_before.chance import Json, without_chance

_PAUSE_SECONDS = 0.3
_UNDER_WAY = "<under way>"


def _as_it_is(body: Json) -> Json:
    return body


@dataclass
class Recorder:
    """Speaks to the API in a platform's name, and to its pages in nobody's; keeps what they answer.

    Args:
        platform: in whose name.
    """

    platform: PlatformUnderTest
    heard: dict[str, Json] = field(default_factory=dict)
    #: Answers to calls that the API had put off before, as happens on a slow machine.
    put_off: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        key = {"Authorization": f"Bearer {self.platform.key}"}
        self._api = httpx2.AsyncClient(
            base_url=f"{self.platform.api_url}/v1", headers=key, timeout=PATIENCE_SECONDS, trust_env=False
        )
        self._pages = httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False, follow_redirects=True)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()
        await self._pages.aclose()

    async def post(self, name: str, path: str, /, *, moves: Collection[str] = (), **body: Json) -> Json:
        """Send a command; the answer's body.

        Args:
            moves: fields of the answer that go on while it is given, so that what they show is chance.
        """
        return await self._keep(name, "POST", path, moves=moves, json=body)

    async def put(self, name: str, path: str, /, **body: Json) -> Json:
        """Set something anew; the answer's body."""
        return await self._keep(name, "PUT", path, json=body)

    async def get(
        self, name: str, path: str, /, *, kept_as: Callable[[Json], Json] = _as_it_is, **query: str | int
    ) -> Json:
        """Look at something; the answer's body.

        Args:
            kept_as: how the body is kept.
        """
        return await self._keep(name, "GET", path, kept_as=kept_as, params=query or None)

    async def look(self, path: str, /, **query: str | int) -> Json:
        """Look at something without keeping it."""
        _, answer = await self._answer("GET", path, params=query or None)
        assert answer.is_success, f"GET {path} answered {answer.status_code} {answer.text}"
        return answer.json()

    async def becomes(self, path: str, is_so: Callable[[Json], bool], what: str, /, **query: str | int) -> Json:
        """Look until something is so, without keeping it; what was seen then."""
        return await until(lambda: self.look(path, **query), is_so, what)

    async def page(self, name: str, url: str, lang: str = "zh") -> str:
        """Look at a hosted page and keep what it says; its source."""
        return self._read(name, await self._pages.get(url, params={"lang": lang}))

    async def send(self, name: str, url: str, /, **fields: str) -> str:
        """Send a page's form and keep what the page that follows says; its source."""
        own = {"Origin": "/".join(url.split("/")[:3])}
        return self._read(name, await self._pages.post(url, data=fields, headers=own))

    async def press(self, url: str) -> None:
        """Press the one button of a page that is a bank's."""
        answer = await self._pages.post(url)
        assert answer.is_success, f"{url} answered {answer.status_code}"

    def recording(self) -> dict[str, Json]:
        """What was heard, without what is chance."""
        recording: dict[str, Json] = without_chance(self.heard, platform_no=self.platform.platform_no)
        return recording

    async def _keep(
        self,
        name: str,
        method: str,
        path: str,
        *,
        moves: Collection[str] = (),
        kept_as: Callable[[Json], Json] = _as_it_is,
        **more: Any,
    ) -> Json:
        put_off, answer = await self._answer(method, path, **more)
        body = answer.json()
        moving = moves if answer.is_success else ()
        kept = {key: _UNDER_WAY if key in moving else part for key, part in kept_as(body).items()}
        asked = "&".join(f"{key}={value}" for key, value in (more.get("params") or {}).items())
        self._note(name, f"{method} /v1{path}{'?' if asked else ''}{asked}", answer.status_code, kept)
        if put_off:
            self.put_off.add(name)
        return body

    async def _answer(self, method: str, path: str, **more: Any) -> tuple[bool, httpx2.Response]:
        """The answer to a call, which is made again while it is put off, and whether it was."""
        clock, put_off = asyncio.get_running_loop(), False
        give_up_at = clock.time() + PATIENCE_SECONDS
        while True:
            answer = await self._api.request(method, path, **more)
            if clock.time() > give_up_at or not _comes_too_early(answer):
                return put_off, answer
            put_off = True
            await asyncio.sleep(_PAUSE_SECONDS)

    def _read(self, name: str, answer: httpx2.Response) -> str:
        first = [*answer.history, answer][0].request
        self._note(name, f"{first.method} a hosted page", answer.status_code, _says(answer.text))
        return answer.text

    def _note(self, name: str, request: str, status: int, body: Json) -> None:
        assert name not in self.heard, f"two answers are called {name!r}"
        self.heard[name] = {"request": request, "status": status, "body": body}


def _comes_too_early(answer: httpx2.Response) -> bool:
    """Whether the call is to be made again: somebody did not answer in time, or something is under way."""
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return True
    return bool(answer.status_code == HTTPStatus.CONFLICT and answer.json().get("code") == "workflow_busy")


def _says(page: str) -> list[str]:
    """What a page says to who reads it, line by line."""
    body = html.document_fromstring(page).find("body")
    lines = [] if body is None else [" ".join(text.split()) for text in map(str, body.itertext())]
    return [line for line in lines if line]
