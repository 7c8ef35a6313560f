"""Waiting until a workflow that was just started has entered its object in the books."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.dependencies import Services
from api.problems import OrderBusy
from escrow.ledger.objects import BusinessObject, get_object

Found = TypeVar("Found")

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.2


async def wait_until_recorded(services: Services, platform_no: str, kind: str, object_no: str) -> BusinessObject:
    """The object, as soon as its workflow has entered it.

    Raises:
        OrderBusy: not within the time that a command may take; the same call goes on where this one was.
        LedgerUnavailable: the ledger does not answer.
    """
    pause = _FIRST_PAUSE_SECONDS
    try:
        async with asyncio.timeout(services.settings.command_answer_seconds):
            while True:
                found = await get_object(services.reader, platform_no, kind, object_no)
                if found is not None:
                    return found
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
    except TimeoutError as error:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.") from error


async def until(services: Services, look: Callable[[], Awaitable[Found]], holds: Callable[[Found], bool]) -> Found:
    """What `look` finds once it holds, or as it is when that takes longer than a command may.

    Raises:
        LedgerUnavailable: the ledger does not answer.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + services.settings.command_answer_seconds
    pause = _FIRST_PAUSE_SECONDS
    found = await look()
    while not holds(found) and loop.time() < give_up_at:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        found = await look()
    return found
