"""The running bank: its books, and two errands beside the requests — doing what falls due and sending notices."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

import httpx2

from bank_sandbox import clock, duties, notices, register, signing
from bank_sandbox.books import Books, Session
from bank_sandbox.options import Options

_T = TypeVar("_T")
_NOTICE_TIMEOUT_SECONDS = 5.0
_NOTICE_URL = "notice_url"
_log = logging.getLogger("bank_sandbox")


class Bank:
    """Everything behind the two HTTP handles."""

    def __init__(self, options: Options) -> None:
        self.options = options
        options.data.mkdir(parents=True, exist_ok=True)
        self._books = Books(options.data / "books.sqlite")
        self._due_soon = asyncio.Event()
        self._notify_soon = asyncio.Event()
        self._errands: list[asyncio.Task[None]] = []
        self.late_arrivals: set[asyncio.Task[None]] = set()

    async def in_session(self, work: Callable[[Session], _T]) -> _T:
        """Run `work` in one transaction at the present time, after doing everything due by then."""

        def with_due(db: sqlite3.Connection) -> tuple[_T, bool]:
            changes = db.total_changes
            session = clock.session_now(db, self.options)
            duties.do_due(session)
            return work(session), db.total_changes != changes

        result, changed = await self._books.transact(with_due)
        if changed:
            self._due_soon.set()
            self._notify_soon.set()
        return result

    async def open(self) -> None:
        """Open the books and begin the errands."""
        await self.in_session(clock.set_first)
        await self.in_session(register.seed)
        if self.options.notice_url:
            await self.in_session(lambda session: session.remember(_NOTICE_URL, self.options.notice_url))
        self._errands = [asyncio.create_task(self._do_duties()), asyncio.create_task(self._send_notices())]
        for errand in self._errands:
            errand.add_done_callback(_report_death)

    async def close(self) -> None:
        """End the errands and close the books."""
        tasks = [*self._errands, *self.late_arrivals]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._books.close()

    async def _do_duties(self) -> None:
        while True:
            self._due_soon.clear()
            pause_ms = await self.in_session(_ms_to_next_duty)
            await _sleep_or_wake(self._due_soon, pause_ms)

    async def _send_notices(self) -> None:
        async with httpx2.AsyncClient(timeout=_NOTICE_TIMEOUT_SECONDS, trust_env=False) as client:
            while True:
                self._notify_soon.clear()
                url, envelopes, pause_ms = await self.in_session(_notices_to_send)
                for envelope in envelopes if url else []:
                    await self._send(client, url, envelope)
                if not (url and envelopes):
                    await _sleep_or_wake(self._notify_soon, pause_ms if url else None)

    async def _send(self, client: httpx2.AsyncClient, url: str, envelope: notices.Envelope) -> None:
        notice_no, taken = str(envelope.notice_no), True
        for _ in range(envelope.copies):
            timestamp = str(int(time.time()))
            headers = {
                "Content-Type": "application/json",
                "Bank-Notice-No": notice_no,
                "Bank-Timestamp": timestamp,
                "Bank-Signature": signing.notice_signature(
                    self.options.key, notice_no=notice_no, timestamp=timestamp, body=envelope.body
                ),
            }
            try:
                answer = await client.post(url, content=envelope.body, headers=headers)
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                taken = False
                _log.info("notice %s not delivered: %s", notice_no, type(error).__name__)
            else:
                taken = taken and answer.is_success
        outcome = notices.delivered if taken else notices.not_delivered
        await self.in_session(lambda session: outcome(session, envelope.notice_no))


def _report_death(errand: asyncio.Task[None]) -> None:
    """An errand ends by cancellation only; anything else must be seen."""
    if not errand.cancelled():
        _log.critical("an errand of the bank has died", exc_info=errand.exception())


def notice_url(session: Session) -> str:
    """Where notices go; empty while nobody wants them."""
    return session.setting(_NOTICE_URL)


def set_notice_url(session: Session, url: str) -> None:
    """Send notices there from now on, those still waiting too."""
    session.remember(_NOTICE_URL, url)


def _ms_to_next_duty(session: Session) -> int | None:
    due_ms = duties.next_due_real_ms(session)
    return None if due_ms is None else max(due_ms - session.real_ms, 0)


def _notices_to_send(session: Session) -> tuple[str, list[notices.Envelope], int | None]:
    next_ms = notices.next_at_real_ms(session)
    pause_ms = None if next_ms is None else max(next_ms - session.real_ms, 0)
    return notice_url(session), notices.due(session), pause_ms


async def _sleep_or_wake(event: asyncio.Event, pause_ms: int | None) -> None:
    """Wait for the event, at most so many milliseconds (None: as long as it takes)."""
    try:
        async with asyncio.timeout(None if pause_ms is None else pause_ms / 1000 + 0.001):
            await event.wait()
    except TimeoutError:
        return
