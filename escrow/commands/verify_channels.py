"""What `escrow verify` asks of the collection channels: every settlement, and all that is not settled yet."""

from escrow.channels.collections import Collections
from escrow.domain.collections.channel_comparison import (
    BookedPayment,
    ChannelBooks,
    due_differences,
    payment_differences,
    refund_differences,
    settlement_differences,
)
from escrow.domain.collections.methods import ChannelPayment, CollectionAnswer, Settlement
from escrow.domain.errors import BankDeclined
from escrow.ledger.comparisons import channel_books
from escrow.ledger.engine import Reader
from escrow.registry.platforms.platforms import custody_account_of

#: A top-up has its money collected anew only after a number has definitely failed, so few numbers are ever used.
_COLLECTIONS_AT_MOST = 9


async def channel_differences(reader: Reader, channel: Collections, platform_no: str) -> list[str]:
    """One sentence for each difference between our books of the channels and what they say; empty when equal.

    Raises:
        BankUnreachable: the bank does not answer.
    """
    ours = await channel_books(reader, platform_no)
    comparison = _Comparison(channel, platform_no, await custody_account_of(reader, platform_no), ours)
    await comparison.run()
    return comparison.found


class _Comparison:
    """One comparison; `found` grows."""

    def __init__(self, channel: Collections, platform_no: str, custody_account_no: str, ours: ChannelBooks) -> None:
        self.found: list[str] = []
        self._channel = channel
        self._platform_no = platform_no
        self._custody_account_no = custody_account_no
        self._ours = ours
        self._settled: set[str] = set()
        self._answers: dict[str, CollectionAnswer] = {}

    async def run(self) -> None:
        """Compare settlements, then what none of them has brought."""
        ours = self._ours
        for settlement_no in ours.settlements:
            try:
                said = await self._channel.settlement(settlement_no)
            except BankDeclined:
                self.found.append(f"settlement {settlement_no} is unknown to its channel")
                continue
            self.found += settlement_differences(said, ours, platform_no=self._platform_no)
            self._note_settled(said)
        for payment in ours.payments.values():
            if payment.payment_no not in self._settled:
                answered = await self._asked(payment)
                if answered is not None and await self._came_to_nothing(answered.settlement_no):
                    continue
                self.found += payment_differences(payment, answered, ours.open_day)
        for refund in ours.refunds.values():
            if refund.refund_no not in self._settled:
                answer = await self._channel.query_refund(
                    self._at_bank(refund.refund_no), custody_account_no=self._custody_account_no
                )
                if not await self._came_to_nothing(answer.settlement_no):
                    self.found += refund_differences(refund, answer)
        self.found += due_differences(ours, self._settled)

    def _note_settled(self, said: Settlement) -> None:
        for item in said.items:
            number = item.payment_no or item.request_no.removeprefix(self._at_bank(""))
            if number in self._settled:
                self.found.append(f"settlement {said.settlement_no}: {item.kind} {number} was settled before")
            self._settled.add(number)

    async def _came_to_nothing(self, settlement_no: str | None) -> bool:
        """Whether a settlement of which there is no line needed none: what it took it also gave back."""
        if not settlement_no or settlement_no in self._ours.settlements:
            return False
        said = await self._channel.settlement(settlement_no)
        if said.paid_fen != said.refunded_fen or (said.net_of_fees and said.fee_fen):
            return False
        self._settled |= {item.payment_no or item.request_no.removeprefix(self._at_bank("")) for item in said.items}
        return True

    async def _asked(self, payment: BookedPayment) -> ChannelPayment | None:
        """The payment as the channel answers it, None when it knows of none."""
        numbers = [payment.collection_no]
        if not payment.collection_no:
            numbers = [f"{payment.pay_in_no}:collect:{attempt}" for attempt in range(1, _COLLECTIONS_AT_MOST + 1)]
        for number in numbers:
            if number not in self._answers:
                self._answers[number] = await self._channel.query(
                    self._at_bank(number), custody_account_no=self._custody_account_no
                )
            for item in self._answers[number].payments:
                if item.payment_no == payment.payment_no and self._answers[number].method == payment.method:
                    return item
        return None

    def _at_bank(self, number: str) -> str:
        return f"{self._platform_no}/{number}"
