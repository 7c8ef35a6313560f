"""Our copy of the bank's list of custody lines, brought up to date by whoever needs its newest lines."""

from collections.abc import Collection

from escrow.channels.protocols import Custody
from escrow.domain.errors import BankUnreachable, Refused
from escrow.ledger.bank_lines import BankLines, StoredBankLine
from escrow.ledger.engine import Reader
from escrow.registry.platforms.platforms import custody_account_of


class BankBook:
    """Copies lines from the bank into the ledger; a line once kept never changes."""

    def __init__(self, lines: BankLines, reader: Reader, custody: Custody) -> None:
        self._lines = lines
        self._reader = reader
        self._custody = custody

    async def bring_up_to_date(self, platform_no: str) -> None:
        """Keep every line that the bank has booked since the last look.

        Raises:
            BankUnreachable: look again later.
        """
        custody_account_no = await custody_account_of(self._reader, platform_no)
        while True:
            after = await self._lines.last_line_no(platform_no)
            fresh = await self._custody.lines_after(custody_account_no, after)
            if not fresh:
                return
            await self._lines.record(platform_no, fresh)

    async def unposted(self, platform_no: str, kinds: Collection[str]) -> list[StoredBankLine]:
        """Lines of these kinds that no entry has posted yet, in the bank's order; of very many the first."""
        return await self._lines.unposted(platform_no, kinds)

    async def line(self, platform_no: str, bank_serial_no: str) -> StoredBankLine:
        """One line, fetched from the bank when it is not kept yet.

        Raises:
            BankUnreachable: the bank cannot be reached, or does not list the line yet; look again later.
        """
        try:
            return await self._lines.get(platform_no, bank_serial_no)
        except Refused:
            await self.bring_up_to_date(platform_no)
        try:
            return await self._lines.get(platform_no, bank_serial_no)
        except Refused as refusal:
            raise BankUnreachable(
                "bank_line_not_listed", f"The bank does not list line {bank_serial_no} yet; look again later."
            ) from refusal
