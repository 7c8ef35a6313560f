"""Books and settings must agree on whether this is a sandbox, in which time may be skipped."""

import asyncio

import structlog

from escrow.domain.errors import LedgerUnavailable
from escrow.ledger.books_time import is_sandbox
from escrow.ledger.engine import Reader
from escrow.settings import Settings, SettingsError

#: How often a ledger that is away at the start is asked again.
_LEDGER_AWAITED_SECONDS = 1.0

_log = structlog.get_logger(__name__)


async def agreed_on_sandbox(settings: Settings, reader: Reader, stop: asyncio.Event) -> bool:
    """Compare what the books say with the settings, once the ledger is there; False when it is time to stop before.

    Raises:
        SettingsError: as `require_agreement`.
    """
    while not stop.is_set():
        try:
            await require_agreement(settings, reader)
        except LedgerUnavailable:
            _log.warning("ledger_awaited")
            await asyncio.sleep(_LEDGER_AWAITED_SECONDS)
            continue
        return True
    return False


async def require_agreement(settings: Settings, reader: Reader) -> None:
    """Let nobody work on books whose time is movable unless that is meant, and the other way round.

    Raises:
        SettingsError: books and settings do not agree.
        LedgerUnavailable: the books cannot be asked now.
    """
    marked = await is_sandbox(reader)
    if marked != settings.time_may_be_skipped:
        books, setting = ("a", "false") if marked else ("no", "true")
        raise SettingsError(
            f"The books are marked as {books} sandbox and ESCROW_TIME_MAY_BE_SKIPPED is {setting}: make them agree."
        )
