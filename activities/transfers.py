"""The activity of transfers: have one made as its consent asks, or find what became of it.

An input names the transfer, no more: who pays whom how much the books say, and they decide.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from escrow.domain.errors import Refused
from escrow.domain.transfers.commands import Assign, Pay, Reverse
from escrow.domain.transfers.making import ASSIGNMENTS, PAYMENTS, REVERSALS
from escrow.domain.transfers.moves import TransferKind, TransferStatus, transfer_consent_no
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.books import Books, Taken
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader
from escrow.registry.members.members import Members, same_name


class TransferRef(BaseModel):
    """Names one transfer; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)

    platform_no: str
    kind: TransferKind
    transfer_no: str


class TransferActivities:
    """Activities of transfers."""

    def __init__(self, books: Books, reader: Reader, members: Members, lines: BankLines) -> None:
        self._books = books
        self._reader = reader
        self._members = members
        self._lines = lines

    @activity.defn
    async def make_transfer(self, ref: TransferRef) -> TransferStatus:
        """Move the money of one transfer, all of it or nothing; made before, it is only found.

        What a rule refuses is kept with the consent, where whoever asked finds it.

        Raises:
            LedgerBusy, LedgerUnavailable: repeat.
        """
        platform_no, number = ref.platform_no, ref.transfer_no
        match ref.kind:
            case TransferKind.PAYMENT:
                return _end(await self._books.take(PAYMENTS, platform_no, number, Pay(transfer_no=number)))
            case TransferKind.ASSIGNMENT:
                assign = Assign(transfer_no=number, was_paid_to_member=await self._was_paid_to_member(ref))
                return _end(await self._books.take(ASSIGNMENTS, platform_no, number, assign))
            case TransferKind.REVERSAL:
                return _end(await self._books.take(REVERSALS, platform_no, number, Reverse(transfer_no=number)))

    async def _was_paid_to_member(self, ref: TransferRef) -> bool:
        """Whether what a bank gave back was paid to somebody of the name of the member that it is assigned to."""
        consent = await get_consent(self._reader, ref.platform_no, transfer_consent_no(ref.kind, ref.transfer_no))
        if consent is None:
            return False
        try:
            line = await self._lines.get(ref.platform_no, consent.terms["subject_no"])
            member = await self._members.get(ref.platform_no, consent.terms["member_no"])
        except Refused:
            return False
        return same_name(line.counterparty_name) == same_name(member.name)


def _end(taken: Taken[Any]) -> TransferStatus:
    return TransferStatus.REFUSED if taken.answer is None else TransferStatus.DONE
