"""How a channel is asked to collect: by what the books have of it, and of a member's account with its consent only."""

from activities.messages import Message
from escrow.channels.collections import CollectionOrder, Collections, Payer
from escrow.domain.collections.debit_routing import DebitDecision, choose_debit_channel
from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod, StatusAtChannel
from escrow.domain.collections.state import Asked, CollectionState, collection_no
from escrow.domain.errors import BankDeclined, Refused
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader
from escrow.registry.accounts.card_holders import CardHolder, CardHolders
from escrow.registry.collections.mandate_debits import Debit, MandateDebits
from escrow.registry.collections.mandates import Mandates
from escrow.registry.platforms.platforms import custody_account_of


class CollectionNo(Message):
    """Names something that is collected."""

    platform_no: str
    pay_in_no: str


def payer_of(holder: CardHolder) -> Payer:
    """The holder of a card as the bank is told."""
    return Payer(
        account_no=holder.card_no, account_name=holder.name, citizen_id=holder.citizen_id, mobile=holder.mobile
    )


async def collection_answer(reader: Reader, channel: Collections, platform_no: str, number: str) -> CollectionAnswer:
    """How an order to collect stands at the channel, by our number of it.

    Raises:
        BankUnreachable: ask again.
    """
    return await channel.query(
        bank_request_no(platform_no, number), custody_account_no=await custody_account_of(reader, platform_no)
    )


class Payers:
    """Asks channels to collect, and knows who pays where a member's account is debited."""

    def __init__(
        self, reader: Reader, holders: CardHolders, mandates: Mandates, debits: MandateDebits, channel: Collections
    ) -> None:
        self._reader = reader
        self._holders = holders
        self._mandates = mandates
        self._debits = debits
        self._channel = channel

    async def ask(self, ref: CollectionNo, state: CollectionState, asked: Asked) -> CollectionAnswer:
        """Ask the channel to collect, under the number of an order to collect that was just recorded.

        Raises:
            Refused: a rule says no to debiting this member; nothing was sent.
            BankDeclined: nothing can be paid under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        number = collection_no(ref.pay_in_no, asked.number)
        if state.debits_a_member:
            await self._require_consent(ref, state)
        match state.method:
            case CollectionMethod.DIRECT_DEBIT:
                return await self._debit(ref, state, asked, number)
            case CollectionMethod.QUICK:
                holder = await self._holders.holder_of(ref.platform_no, state.purpose.member_no, state.account_id or "")
                return await self._channel.create(await self._order(ref, state, number, payer=payer_of(holder)))
            case _:
                return await self._channel.create(await self._order(ref, state, number))

    async def debit_channel(self, ref: CollectionNo, state: CollectionState) -> DebitDecision:
        """Choose among the bank's debit channels, those left out on which this debit has failed; and say why.

        Raises:
            Refused: `not_found`, there is no such mandate.
            BankUnreachable: ask again.
        """
        mandate = await self._mandates.get(ref.platform_no, state.mandate_no or "")
        capabilities = await self._channel.capabilities(await custody_account_of(self._reader, ref.platform_no))
        return choose_debit_channel(
            capabilities.debit_channels,
            payer_bank=mandate.payer_bank,
            amount_fen=state.amount_fen,
            failed=await self._debits.failed_channels(ref.platform_no, ref.pay_in_no),
        )

    async def rule_out(self, ref: CollectionNo, asked: Asked, *, is_lost: bool) -> None:
        """Keep that the bank has said for good that a debit brings nothing; another channel may then be asked.

        Args:
            is_lost: the bank never saw it, so that its channel may be asked again.
        """
        await self._debits.rule_out(ref.platform_no, collection_no(ref.pay_in_no, asked.number), is_lost=is_lost)

    async def _debit(self, ref: CollectionNo, state: CollectionState, asked: Asked, number: str) -> CollectionAnswer:
        """Kept before it is sent: only while no other debit for the same money may still bring something."""
        for other in await self._debits.open_numbers(ref.platform_no, ref.pay_in_no):
            answer = await collection_answer(self._reader, self._channel, ref.platform_no, other)
            is_lost = answer.status is StatusAtChannel.NOT_FOUND and answer.final
            if other != number and (is_lost or answer.status is StatusAtChannel.FAILED):
                await self._debits.rule_out(ref.platform_no, other, is_lost=is_lost)
        mandate = await self._mandates.get(ref.platform_no, state.mandate_no or "")
        await self._debits.open(
            Debit(
                platform_no=ref.platform_no,
                collection_no=number,
                pay_in_no=ref.pay_in_no,
                mandate_no=mandate.mandate_no,
                member_no=state.purpose.member_no,
                channel=asked.debit_channel or "",
                amount_fen=state.amount_fen,
            )
        )
        order = await self._order(
            ref, state, number, mandate_no=mandate.bank_mandate_no, debit_channel=asked.debit_channel
        )
        try:
            return await self._channel.create(order)
        except BankDeclined:
            await self._debits.rule_out(ref.platform_no, number)
            raise

    async def _order(
        self,
        ref: CollectionNo,
        state: CollectionState,
        number: str,
        *,
        payer: Payer | None = None,
        mandate_no: str | None = None,
        debit_channel: str | None = None,
    ) -> CollectionOrder:
        return CollectionOrder(
            request_no=bank_request_no(ref.platform_no, number),
            custody_account_no=await custody_account_of(self._reader, ref.platform_no),
            method=state.method,
            amount_fen=state.amount_fen,
            subject=state.subject or ref.pay_in_no,
            expires_at=state.expires_at,
            return_url=state.return_url,
            payer=payer,
            mandate_no=mandate_no,
            debit_channel=debit_channel,
        )

    async def _require_consent(self, ref: CollectionNo, state: CollectionState) -> None:
        """The member's consent to be debited holds still.

        Raises:
            Refused: `basis_missing`, `basis_void` or `basis_expired`.
        """
        number = state.asked_as or ""
        consent = await get_consent(self._reader, ref.platform_no, number)
        code = ""
        if consent is None:
            code = "basis_missing"
        elif consent.voided_at is not None:
            code = "basis_void"
        elif consent.expires_at <= await books_now(self._reader, ref.platform_no):
            code = "basis_expired"
        if code:
            raise Refused(code, f"This has no basis that holds (consent {number}).")
