"""Activities of direct debits: choose the channel, send one debit order once, keep that one has definitely failed.

Before anything is sent the books must have the member's mandate, its consent to this very collection, and no other
debit for the same money of which the bank has not said that it failed.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeat import heartbeating
from activities.pay_ins import CollectionRef, collection_answer, require_own_collection
from activities.payers import require_consented_debit
from escrow.channels.collections import CollectionOrder, Collections
from escrow.domain.collections.debit_routing import DebitDecision, choose_debit_channel
from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod, CollectionStatus
from escrow.domain.errors import BankDeclined, BankUnreachable
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.engine import Reader
from escrow.registry.collections.mandate_debits import Debit, MandateDebits
from escrow.registry.collections.mandates import Mandates
from escrow.registry.platforms.platforms import Platforms, custody_account_of


class DebitOrder(BaseModel):
    """One debit of `amount_fen` fen under a mandate, over one channel.

    Args:
        consent_no: the member's consent to this very collection.
        channel: empty while it is being chosen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: CollectionRef
    member_no: str
    mandate_no: str
    amount_fen: int
    consent_no: str
    subject: str
    expires_at: AwareDatetime
    channel: str = ""


class DebitActivities:
    """Bank and ledger activities of direct debits."""

    def __init__(
        self, reader: Reader, platforms: Platforms, mandates: Mandates, debits: MandateDebits, channel: Collections
    ) -> None:
        self._reader = reader
        self._platforms = platforms
        self._mandates = mandates
        self._debits = debits
        self._channel = channel

    @activity.defn
    async def choose_debit_channel(self, request: DebitOrder) -> DebitDecision:
        """Choose among the bank's debit channels, those left out on which this debit has failed; and say why.

        Raises:
            Refused: `not_found`, there is no such mandate.
            BankUnreachable: ask again.
        """
        ref = request.collection
        mandate = await self._mandates.get(ref.platform_no, request.mandate_no)
        async with heartbeating():
            capabilities = await self._channel.capabilities(await custody_account_of(self._reader, ref.platform_no))
        return choose_debit_channel(
            capabilities.debit_channels,
            payer_bank=mandate.payer_bank,
            amount_fen=request.amount_fen,
            failed=await self._debits.failed_channels(ref.platform_no, ref.pay_in_no),
        )

    @activity.defn
    async def submit_debit(self, request: DebitOrder) -> CollectionAnswer:
        """Debit the member's account. Attempted once: the workflow asks about whatever has no answer.

        Raises:
            Refused: what a rule says no to (as `MandateDebits.open`), the consent does not hold, `wrong_workflow`;
                nothing was sent.
            BankDeclined: nothing is debited under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        ref = request.collection
        await require_consented_debit(
            self._reader,
            ref,
            consent_no=request.consent_no,
            member_no=request.member_no,
            method=CollectionMethod.DIRECT_DEBIT.value,
            amount_fen=request.amount_fen,
            mandate_no=request.mandate_no,
        )
        async with heartbeating():
            for number in await self._debits.open_numbers(ref.platform_no, ref.pay_in_no):
                if number != ref.request_no:
                    await self._rule_out(ref.platform_no, number)
            await self._debits.open(
                Debit(
                    platform_no=ref.platform_no,
                    collection_no=ref.request_no,
                    pay_in_no=ref.pay_in_no,
                    mandate_no=request.mandate_no,
                    member_no=request.member_no,
                    channel=request.channel,
                    amount_fen=request.amount_fen,
                )
            )
            try:
                return await self._channel.create(await self._order(request))
            except BankDeclined:
                await self._debits.rule_out(ref.platform_no, ref.request_no)
                raise

    @activity.defn
    async def rule_out_debit(self, ref: CollectionRef) -> None:
        """Keep that a debit has definitely failed, as the bank says; another channel may then be asked.

        Raises:
            BankUnreachable: the bank does not say so, or not yet; ask again.
        """
        await require_own_collection(self._reader, ref)
        async with heartbeating():
            if not await self._rule_out(ref.platform_no, ref.request_no):
                raise BankUnreachable("debit_open", f"The bank does not say that {ref.request_no} has failed.")

    async def _rule_out(self, platform_no: str, collection_no: str) -> bool:
        answer = await collection_answer(self._reader, self._channel, platform_no, collection_no)
        is_lost = answer.status is CollectionStatus.NOT_FOUND and answer.final
        is_ruled_out = is_lost or answer.status is CollectionStatus.FAILED
        if is_ruled_out:
            await self._debits.rule_out(platform_no, collection_no, is_lost=is_lost)
        return is_ruled_out

    async def _order(self, request: DebitOrder) -> CollectionOrder:
        ref = request.collection
        platform = await self._platforms.get(ref.platform_no)
        mandate = await self._mandates.get(ref.platform_no, request.mandate_no)
        return CollectionOrder(
            request_no=bank_request_no(ref.platform_no, ref.request_no),
            custody_account_no=platform.custody_account_no,
            method=CollectionMethod.DIRECT_DEBIT,
            amount_fen=request.amount_fen,
            subject=request.subject,
            expires_at=request.expires_at,
            mandate_no=mandate.bank_mandate_no,
            debit_channel=request.channel,
        )
