"""Activities of mandates: what the books have is told to the bank, and what the bank says is kept.

A mandate is signed and revoked in the books alone, by the API on a recorded consent: nothing here can do either.
"""

from datetime import timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.calling import call_if_long
from activities.heartbeat import heartbeating
from activities.payers import payer_of
from escrow.channels.collections import Collections, MandateOrder
from escrow.domain.collections.mandates import MandateStatus, ends_at
from escrow.domain.documents import OptionalText
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.members.mandate import BankKnowsTheEnd, BankRefusesIt, BankTakesIt, Command, LastDayIsOver
from escrow.domain.requests import derived
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.attention import person_came
from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Recorder
from escrow.ledger.progress import ObjectKey
from escrow.registry.collections.mandates import Mandate, Mandates
from escrow.registry.platforms.platforms import Platforms


class MandateRef(BaseModel):
    """Names one mandate; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)

    platform_no: str
    mandate_no: str


class MandateStanding(BaseModel):
    """Where a mandate stands after a step, and when it ends by itself: `left` from the books' moment of the answer."""

    model_config = ConfigDict(frozen=True)

    status: MandateStatus
    ends_at: AwareDatetime
    left: timedelta
    reason: OptionalText = None


class MandateActivities:
    """Bank and ledger activities of mandates."""

    def __init__(self, recorder: Recorder, mandates: Mandates, platforms: Platforms, channel: Collections) -> None:
        self._recorder = recorder
        self._mandates = mandates
        self._platforms = platforms
        self._channel = channel

    @activity.defn
    async def register_mandate(self, ref: MandateRef) -> MandateStanding:
        """Have the bank take the signed mandate, once however often this runs; one that has ended is left alone.

        Raises:
            Refused: `not_found`.
            BankUnreachable: not known to be taken; run this again.
        """
        mandate = await self._mandates.get(ref.platform_no, ref.mandate_no)
        if mandate.status is not MandateStatus.SIGNED:
            return await self._standing(mandate)
        if await books_now(self._recorder, ref.platform_no) >= ends_at(mandate.last_day):
            return await self.expire_mandate(ref)
        async with heartbeating():
            try:
                answer = await self._channel.sign_mandate(await self._order(mandate))
                refused_because = answer.reason if answer.status == "refused" else None
            except (BankDeclined, Refused) as no:
                refused_because = no.code
            except (BankUnreachable, OutcomeUnknown) as silent:
                await call_if_long(self._recorder, _key(ref), silent.message, asked_at=mandate.signed_at)
                raise
        if refused_because:
            heard: Command = BankRefusesIt(reason=refused_because)
            mandate = await self._mandates.take(ref.platform_no, ref.mandate_no, heard)
        elif answer.status != "active":
            silence = f"The bank does not say yet whether it takes {ref.mandate_no}."
            await call_if_long(self._recorder, _key(ref), silence, asked_at=mandate.signed_at)
            raise BankUnreachable("mandate_open", silence)
        else:
            heard = BankTakesIt(payer_bank=answer.payer_bank or "")
            mandate = await self._mandates.take(
                ref.platform_no, ref.mandate_no, heard, bank_mandate_no=answer.mandate_no
            )
        await person_came(self._recorder, _key(ref))
        return await self._standing(mandate)

    @activity.defn
    async def look_at_mandate(self, ref: MandateRef) -> MandateStanding:
        """Where the mandate stands in the books."""
        return await self._standing(await self._mandates.get(ref.platform_no, ref.mandate_no))

    @activity.defn
    async def expire_mandate(self, ref: MandateRef) -> MandateStanding:
        """End a mandate whose last day is over.

        Raises:
            Refused: `too_early`.
        """
        return await self._standing(await self._mandates.take(ref.platform_no, ref.mandate_no, LastDayIsOver()))

    @activity.defn
    async def deregister_mandate(self, ref: MandateRef) -> MandateStanding:
        """Tell the bank that an ended mandate is none any more; repeatable.

        Raises:
            Refused: `mandate_in_force`: it has not ended.
            BankUnreachable: run this again.
        """
        mandate = await self._mandates.get(ref.platform_no, ref.mandate_no)
        if not mandate.status.has_ended:
            raise Refused("mandate_in_force", f"The mandate {ref.mandate_no} has not ended.")
        async with heartbeating():
            platform = await self._platforms.get(ref.platform_no)
            try:
                await self._channel.revoke_mandate(_bank_no(mandate), custody_account_no=platform.custody_account_no)
            except (BankUnreachable, OutcomeUnknown) as silent:
                asked_at = mandate.ended_at or mandate.signed_at
                await call_if_long(self._recorder, _key(ref), silent.message, asked_at=asked_at)
                raise
        mandate = await self._mandates.take(ref.platform_no, ref.mandate_no, BankKnowsTheEnd())
        await person_came(self._recorder, _key(ref))
        return await self._standing(mandate)

    async def _standing(self, mandate: Mandate) -> MandateStanding:
        until = ends_at(mandate.last_day)
        left = until - await books_now(self._recorder, mandate.platform_no)
        return MandateStanding(status=mandate.status, ends_at=until, left=left, reason=mandate.reason)

    async def _order(self, mandate: Mandate) -> MandateOrder:
        platform = await self._platforms.get(mandate.platform_no)
        return MandateOrder(
            request_no=_bank_no(mandate),
            custody_account_no=platform.custody_account_no,
            payer=payer_of(await self._mandates.holder(mandate)),
            per_debit_fen=mandate.per_debit_fen,
            per_day_fen=mandate.per_day_fen,
            last_day=mandate.last_day,
        )


def _key(ref: MandateRef) -> ObjectKey:
    return ObjectKey(platform_no=ref.platform_no, kind="mandate", object_no=ref.mandate_no)


def _bank_no(mandate: Mandate) -> str:
    return bank_request_no(mandate.platform_no, derived(mandate.mandate_no, "mandate"))
