"""Activities of account verifications: send what proves an account, ask the bank about what was typed.

What was typed, and to whom something goes, is looked up here: none of it passes through a workflow.
"""

from collections.abc import Awaitable

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.heartbeat import heartbeating
from activities.turns import Turns
from escrow.channels.verification import AccountVerification, CardCheckOrder, MicroDepositOrder
from escrow.domain.documents import OptionalText
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.members.account_verification import CardCheckAnswer, MicroDepositAnswer
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.transitions import VerificationEvent
from escrow.domain.members.verification import Judge, TimeIsOver, WasNotSent
from escrow.domain.members.verification_rules import VerificationMethod, VerificationStatus
from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Reader
from escrow.registry.accounts.verification_sendings import VerificationSendings
from escrow.registry.accounts.verification_tries import TypedIn, VerificationTries
from escrow.registry.accounts.verifications import AccountVerifications
from escrow.registry.platforms.platforms import Platforms

Answer = MicroDepositAnswer | CardCheckAnswer


class VerificationRef(BaseModel):
    """Names one verification."""

    model_config = ConfigDict(frozen=True)

    platform_no: str
    verification_no: str


class Standing(BaseModel):
    """Where a verification stands after a step.

    Args:
        uncompared: numbers of tries that were counted and that the bank has not compared.
    """

    model_config = ConfigDict(frozen=True)

    status: VerificationStatus
    expires_at: AwareDatetime | None = None
    reason: OptionalText = None
    uncompared: tuple[int, ...] = ()


class VerificationActivities:
    """Ledger and bank activities of account verifications."""

    def __init__(
        self,
        reader: Reader,
        channel: AccountVerification,
        platforms: Platforms,
        verifications: AccountVerifications,
        sendings: VerificationSendings,
        tries: VerificationTries,
    ) -> None:
        self._reader = reader
        self._channel = channel
        self._platforms = platforms
        self._verifications = verifications
        self._sendings = sendings
        self._tries = tries
        self._turns = Turns()

    @activity.defn
    async def send_verification(self, ref: VerificationRef, request_no: str) -> Standing:
        """Send a micro-deposit or a code, once for a request number however often this runs.

        The first one follows from the verification itself; whoever wishes for another has it counted before.

        Raises:
            Refused: of another sending than the first: `not_found`, or what the bank says no to. A first one that is
                refused ends the verification instead.
            BankUnreachable, LedgerBusy: not known to be sent; run this again.
        """
        now = await books_now(self._reader, ref.platform_no)
        is_first = request_no == ref.verification_no
        if is_first:
            try:
                await self._sendings.open(ref.platform_no, ref.verification_no, request_no, occurred_at=now)
            except Refused as refusal:
                return await self._end(ref, VerificationEvent.RULE_REFUSED, refusal.code)
        with self._turns.taken(ref.platform_no, ref.verification_no):
            due = await self._sendings.due(ref.platform_no, ref.verification_no, request_no)
            if due is None:
                return await self._standing(ref)
            return await self._send(ref, *due, is_first=is_first)

    @activity.defn
    async def check_try(self, ref: VerificationRef, number: int) -> Standing:
        """Ask the bank about one stored try and record its answer; a recorded one is not asked about again.

        A repeat after a lost answer may cost a try at the bank, and never gives one more.

        Raises:
            BankUnreachable, LedgerBusy: no answer, or it is being asked; run this again.
        """
        with self._turns.taken(ref.platform_no, ref.verification_no):
            typed = await self._tries.typed(ref.platform_no, ref.verification_no, number)
            if typed.outcome is None:
                async with heartbeating():
                    outcome = await self._compared(typed)
                await self._tries.answered(ref.platform_no, ref.verification_no, number, outcome)
            await self._verifications.take(ref.platform_no, ref.verification_no, Judge())
            return await self._standing(ref)

    @activity.defn
    async def look_at_verification(self, ref: VerificationRef) -> Standing:
        """Where the verification stands in the books; what the bank has compared and nobody has judged is judged.

        Raises:
            Refused: `not_found`.
        """
        await self._verifications.take(ref.platform_no, ref.verification_no, Judge())
        uncompared = await self._tries.uncompared(ref.platform_no, ref.verification_no)
        return (await self._standing(ref)).model_copy(update={"uncompared": uncompared})

    @activity.defn
    async def end_verification(self, ref: VerificationRef) -> Standing:
        """End a verification that nobody confirmed in time, or for which nothing could be sent; else leave it."""
        await self._verifications.take(ref.platform_no, ref.verification_no, TimeIsOver())
        return await self._standing(ref)

    async def _send(self, ref: VerificationRef, number: int, bank_request_no: str, *, is_first: bool) -> Standing:
        try:
            async with heartbeating():
                await _repeatable(self._sent(ref, number, bank_request_no))
        except BankDeclined as declined:
            await self._sendings.was_not_sent(ref.platform_no, ref.verification_no, number, declined.code)
            if not is_first:
                raise Refused("verification_not_sent", "The bank did not send it.", {"reason": declined.code}) from None
            return await self._end(ref, VerificationEvent.BANK_DECLINED, declined.code)
        await self._sendings.was_sent(ref.platform_no, ref.verification_no, number)
        return await self._standing(ref)

    async def _sent(self, ref: VerificationRef, number: int, bank_request_no: str) -> Answer:
        kept = await self._verifications.get(ref.platform_no, ref.verification_no)
        to = await self._verifications.addressee(ref.platform_no, ref.verification_no)
        platform = await self._platforms.get(ref.platform_no)
        if kept.method is VerificationMethod.MICRO_DEPOSIT:
            return await self._channel.send_micro_deposit(
                MicroDepositOrder(
                    request_no=bank_request_no,
                    custody_account_no=platform.custody_account_no,
                    account_no=to.account.account_no,
                    account_name=to.name,
                    is_corporate=to.account.is_corporate,
                    cnaps_code=to.account.cnaps_code,
                    mobile=to.mobile,
                )
            )
        if number > 1:
            return await self._channel.send_card_code_again(bank_request_no)
        return await self._channel.start_card_check(
            CardCheckOrder(
                request_no=bank_request_no,
                custody_account_no=platform.custody_account_no,
                name=to.name,
                citizen_id=to.citizen_id,
                card_no=to.account.account_no,
                mobile=to.mobile,
            )
        )

    async def _compared(self, typed: TypedIn) -> CodeCheck:
        if typed.method is VerificationMethod.MICRO_DEPOSIT:
            asked: Awaitable[Answer] = self._channel.confirm_micro_deposit(
                typed.bank_request_no, amount_fen=typed.amount_fen, reference=typed.reference
            )
        else:
            asked = self._channel.confirm_card_check(typed.bank_request_no, typed.code)
        answer = await _repeatable(asked)
        if answer.code_check is None:
            raise BankUnreachable("bank_answer_unreadable", "The bank did not say how the try compared; ask again.")
        return answer.code_check

    async def _end(self, ref: VerificationRef, event: VerificationEvent, reason: str) -> Standing:
        await self._verifications.take(ref.platform_no, ref.verification_no, WasNotSent(event=event, reason=reason))
        return await self._standing(ref)

    async def _standing(self, ref: VerificationRef) -> Standing:
        kept = await self._verifications.get(ref.platform_no, ref.verification_no)
        return Standing(status=kept.status, expires_at=kept.expires_at, reason=kept.reason or None)


async def _repeatable(call: Awaitable[Answer]) -> Answer:
    """What may be asked again under the same number: a lost answer is no more than a bank out of reach."""
    try:
        return await call
    except OutcomeUnknown as unknown:
        raise BankUnreachable(unknown.code, unknown.message) from unknown
