"""Activities of quick payments: open one from a bound card, have the payer's code compared, have another one sent.

Who holds the card and what was typed is looked up here: none of it passes through a workflow.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeat import heartbeating
from activities.pay_ins import CollectionRef, require_own_collection
from activities.payers import payer_of, require_consented_debit
from escrow.channels.collections import CollectionOrder, Collections
from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.engine import Reader
from escrow.registry.accounts.card_holders import CardHolders
from escrow.registry.collections.payer_codes import PayInCodes
from escrow.registry.platforms.platforms import Platforms

#: What the bank says to a code when an earlier one was right, and what when no more codes are taken.
_RIGHT_BEFORE = frozenset({"collection_under_way", "collection_paid"})
_NO_MORE = "tries_exhausted"


class QuickOrder(BaseModel):
    """One quick payment of `amount_fen` fen from a bound card; `consent_no` is the consent to this very collection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: CollectionRef
    member_no: str
    account_id: str
    amount_fen: int
    consent_no: str
    subject: str
    expires_at: AwareDatetime


class QuickPaymentActivities:
    """Bank and ledger activities of quick payments."""

    def __init__(
        self, reader: Reader, platforms: Platforms, holders: CardHolders, codes: PayInCodes, channel: Collections
    ) -> None:
        self._reader = reader
        self._platforms = platforms
        self._holders = holders
        self._codes = codes
        self._channel = channel

    @activity.defn
    async def open_quick_payment(self, request: QuickOrder) -> CollectionAnswer:
        """Open the payment; the bank sends the card's holder a code. Attempted once.

        Raises:
            Refused: the card cannot be debited, the consent does not hold, `wrong_workflow`; nothing was sent.
            BankDeclined: nothing can be paid under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        ref = request.collection
        await require_consented_debit(
            self._reader,
            ref,
            consent_no=request.consent_no,
            member_no=request.member_no,
            method=CollectionMethod.QUICK.value,
            amount_fen=request.amount_fen,
            account_id=request.account_id,
        )
        async with heartbeating():
            platform = await self._platforms.get(ref.platform_no)
            holder = await self._holders.holder_of(ref.platform_no, request.member_no, request.account_id)
            return await self._channel.create(
                CollectionOrder(
                    request_no=bank_request_no(ref.platform_no, ref.request_no),
                    custody_account_no=platform.custody_account_no,
                    method=CollectionMethod.QUICK,
                    amount_fen=request.amount_fen,
                    subject=request.subject,
                    expires_at=request.expires_at,
                    payer=payer_of(holder),
                )
            )

    @activity.defn
    async def check_payer_code(self, ref: CollectionRef, number: int) -> CodeCheck:
        """Ask the bank about one stored try and keep its answer; a kept one is not asked about again.

        A repeat after a lost answer may cost a try at the bank, and never gives one more.

        Raises:
            BankUnreachable: no answer; run this again.
        """
        await require_own_collection(self._reader, ref)
        typed = await self._codes.typed(ref.platform_no, ref.pay_in_no, number)
        if typed.outcome is not None:
            return typed.outcome
        async with heartbeating():
            outcome = await self._compared(bank_request_no(ref.platform_no, ref.request_no), typed.code)
        return await self._codes.answered(ref.platform_no, ref.pay_in_no, number, outcome)

    @activity.defn
    async def send_payer_code(self, ref: CollectionRef) -> CollectionAnswer:
        """Have the bank send another code, which voids the one before.

        Raises:
            Refused: `sms_code_limit`, or `code_not_awaited`: the payment waits for none.
            BankUnreachable: no answer; run this again, and perhaps one more is sent.
        """
        await require_own_collection(self._reader, ref)
        async with heartbeating():
            try:
                return await self._channel.send_code_again(bank_request_no(ref.platform_no, ref.request_no))
            except BankDeclined as declined:
                code = "sms_code_limit" if declined.code == "codes_exhausted" else "code_not_awaited"
                raise Refused(code, "The bank sends no other code for this payment.") from declined

    async def _compared(self, bank_no: str, code: str) -> CodeCheck:
        try:
            answer = await self._channel.confirm(bank_no, code)
        except OutcomeUnknown as unknown:
            raise BankUnreachable(unknown.code, unknown.message) from unknown
        except BankDeclined as declined:
            if declined.code in _RIGHT_BEFORE:
                return CodeCheck.ACCEPTED
            return CodeCheck.EXHAUSTED if declined.code == _NO_MORE else CodeCheck.EXPIRED
        if answer.code_check is None:
            raise BankUnreachable("bank_answer_unreadable", "The bank did not say how the code compared; ask again.")
        return answer.code_check
