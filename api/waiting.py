"""Waiting until a workflow that was just started has entered its object in the books."""

import asyncio

from api.dependencies import Services
from api.problems import OrderBusy
from escrow.ledger.objects import BusinessObject, get_object

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.2


async def appeared(services: Services, platform_no: str, kind: str, object_no: str) -> BusinessObject:
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
