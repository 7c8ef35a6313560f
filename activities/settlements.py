"""What a channel's settlement line means in our books, and payments that it brings and nobody has booked."""

from datetime import datetime
from typing import Any

from escrow.channels.collections import Collections
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.methods import Settlement, SettlementItem, payment_booking_no
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, JournalEntry, Posting
from escrow.domain.platforms.config import BusinessModel
from escrow.domain.transfers.suspense import suspended_credit
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.bank_lines import StoredBankLine
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import asked_for
from escrow.ledger.engine import Reader
from escrow.ledger.objects import BusinessObject, get_object
from escrow.ledger.posting import LedgerWriter
from escrow.registry.platforms.platforms import Platforms


class Settlements:
    """Reads settlements from the channel."""

    def __init__(self, writer: LedgerWriter, reader: Reader, channel: Collections, platforms: Platforms) -> None:
        self._writer = writer
        self._reader = reader
        self._channel = channel
        self._platforms = platforms

    async def entry_of(self, line: StoredBankLine) -> tuple[JournalEntry, dict[str, Any]]:
        """The entry of a settlement line, and what the channel says of it.

        Payments in it that no top-up looks after wait in suspense from now on.

        Raises:
            BankUnreachable: look again later.
            BankDeclined: the channel knows no such settlement.
            Refused: `unbalanced` when the line is not what the settlement adds up to; `settlement_from_elsewhere` when
                a marketplace's did not pass the bank's transit account.
        """
        await self._require_from_transit(line)
        settlement = await self._channel.settlement(line.request_no)
        for item in settlement.items:
            if item.kind == "payment":
                await self._suspend_unknown(line.platform_no, settlement, item)
        entry = collection_recipes.channel_settled(
            platform_no=line.platform_no,
            settlement=settlement,
            brought_fen=line.amount_fen,
            bank_serial_no=line.bank_serial_no,
            effective_date=line.value_date,
        )
        return entry, {
            "settlement_no": settlement.settlement_no,
            "method": settlement.method.value,
            "day": settlement.day.isoformat(),
            "paid_fen": settlement.paid_fen,
            "refunded_fen": settlement.refunded_fen,
            "fee_fen": settlement.fee_fen,
            "net_of_fees": settlement.net_of_fees,
        }

    async def _require_from_transit(self, line: StoredBankLine) -> None:
        """On a marketplace collected money comes from the bank's own transit account, and from nobody else's.

        Raises:
            Refused: `settlement_from_elsewhere`; the line stays unposted, for an operator.
        """
        platform = await self._platforms.get(line.platform_no)
        if platform.config.business_model is not BusinessModel.MARKETPLACE:
            return
        capabilities = await self._channel.capabilities(platform.custody_account_no)
        if line.counterparty_account_no != capabilities.transit_account_no:
            raise Refused(
                "settlement_from_elsewhere",
                f"The settlement {line.bank_serial_no} did not pass the bank's transit account; ask the bank.",
            )

    async def _suspend_unknown(self, platform_no: str, settlement: Settlement, item: SettlementItem) -> None:
        pay_in_no = pay_in_no_of(item.request_no, platform_no)
        collection = await get_object(self._reader, platform_no, "pay_in", pay_in_no) if pay_in_no else None
        watched_until = collection.body["watched_until"] if collection else None
        now = await books_now(self._reader, platform_no)
        if watched_until is not None and now <= datetime.fromisoformat(watched_until):
            return  # its workflow books it, or has booked it
        posting = Posting(
            platform_no=platform_no,
            request_no=payment_booking_no(item.payment_no),
            content={"payment_no": item.payment_no, "paid_fen": item.amount_fen},
            entry=collection_recipes.collection_suspended(
                platform_no=platform_no,
                channel=settlement.method,
                payment_no=item.payment_no,
                paid_fen=item.amount_fen,
            ),
            changes=(
                suspended_credit(
                    payment_no=item.payment_no,
                    amount_fen=item.amount_fen,
                    collected_for=await self._collected_for(platform_no, pay_in_no, collection),
                ),
            ),
            bases=(Basis(kind="none"),),
        )
        try:
            await self._writer.post(posting)
        except Refused as refusal:
            if refusal.code != "request_no_reused":
                raise
            # Its top-up has booked it under the same number.

    async def _collected_for(self, platform_no: str, pay_in_no: str | None, collection: BusinessObject | None) -> str:
        """Member that is credited, or pays, as the books have it; empty when nobody is known."""
        if collection is not None:
            return str(collection.body["member_no"])
        asked = await asked_for(self._reader, platform_no, "pay_in", pay_in_no) if pay_in_no else None
        return "" if asked is None else asked.given_by


def pay_in_no_of(channel_request_no: str, platform_no: str) -> str | None:
    """Number of the collection behind a number of ours at the channel: `HOME/T-1:collect:1` → `T-1`."""
    prefix = bank_request_no(platform_no, "")
    if not channel_request_no.startswith(prefix):
        return None
    number = channel_request_no.removeprefix(prefix)
    for part in (":collect:", ":return:"):
        pay_in_no, found, _ = number.rpartition(part)
        if found:
            return pay_in_no
    return None
