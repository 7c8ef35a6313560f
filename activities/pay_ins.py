"""Activities of a top-up: calls to the channel that carry one request number each, and ledger transactions.

Whatever credits money asks the channel itself first, so that an invented input moves nothing.
"""

import re
from dataclasses import replace
from datetime import date
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.collected_for import member_behind
from activities.guards import require_consent, require_entered, require_own_workflow
from activities.heartbeat import heartbeating
from activities.steps import Step, used_before
from escrow.channels.collections import CollectionOrder, Collections
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.methods import ChannelPayment, CollectionAnswer, CollectionMethod, payment_booking_no
from escrow.domain.collections.pay_ins import DEBITS_A_MEMBER, TOP_UP
from escrow.domain.errors import BankDeclined, Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.money.accounts import suspense
from escrow.domain.money.journal import Receipt
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense import suspended_credit
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.balances import account_balance_fen
from escrow.ledger.consents import get_consent
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader
from escrow.ledger.objects import recorded_steps
from escrow.ledger.posting import LedgerWriter
from escrow.registry.members.members import Members
from escrow.registry.platforms.platforms import Platforms, custody_account_of


class PayInRequest(BaseModel):
    """Base of the inputs below."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OpenPayIn(PayInRequest):
    """Enter a top-up in the books.

    Args:
        started_as: first run of the workflow, which tells a repeated attempt from a second top-up of the same number.
    """

    step: Step
    started_as: str
    member_no: str


class CollectionRef(PayInRequest):
    """Names one collection at the channel, by our number of it."""

    platform_no: str
    pay_in_no: str
    request_no: str


class CreateCollection(PayInRequest):
    """Open one collection at the channel under one request number."""

    collection: CollectionRef
    method: CollectionMethod
    amount_fen: int
    subject: str
    expires_at: AwareDatetime
    return_url: str


class BookPayment(PayInRequest):
    """Credit a payment to a member, or with `member_no` empty let it wait in suspense."""

    step: Step
    collection: CollectionRef
    method: CollectionMethod
    payment: ChannelPayment
    member_no: str = ""
    asked_fen: int = 0


class PaymentRef(PayInRequest):
    """Names one payment of a channel, by the channel's number."""

    platform_no: str
    payment_no: str


class PayInActivities:
    """Channel and ledger activities of top-ups."""

    def __init__(
        self,
        writer: LedgerWriter,
        reader: Reader,
        members: Members,
        platforms: Platforms,
        channel: Collections,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._members = members
        self._platforms = platforms
        self._channel = channel

    @activity.defn
    async def open_pay_in(self, request: OpenPayIn) -> Receipt:
        """Enter a top-up that its member consented to; the consent is used when money is credited.

        Raises:
            Refused: `object_exists`, `member_state`, `member_unknown`, or the consent does not hold.
        """
        step = request.step
        await self._require_receives(step.platform_no, request.member_no)
        for basis in step.bases:
            await require_consent(self._reader, platform_no=step.platform_no, basis=basis)
        try:
            return await self._writer.post(
                step.model_copy(update={"bases": ()}).posting(content={"started_as": request.started_as})
            )
        except Refused as refusal:
            raise used_before(refusal, step) from refusal

    @activity.defn
    async def record_pay_in(self, step: Step) -> Receipt:
        """Record a change of the top-up that moves no money; the first one enters a refused one.

        What the payer is shown is what the channel itself answers now, whatever the step says.

        Raises:
            Refused: `not_found` for a top-up that was never entered.
            BankUnreachable: ask again.
        """
        if not step.is_first:
            await require_entered(
                self._reader, platform_no=step.platform_no, object_kind=step.object_kind, object_no=step.object_no
            )
        shown = {"interaction": await self._interaction(step)} if step.document.get("interaction") else {}
        return await self._writer.post(step.posting(content={}, document=shown))

    @activity.defn
    async def create_collection(self, request: CreateCollection) -> CollectionAnswer:
        """Open the collection. Attempted once: the workflow asks about whatever has no answer.

        Raises:
            Refused: `wrong_workflow`, `not_found`, or `basis_missing` for a method that debits a member; nothing was
                sent.
            BankDeclined: nothing can be paid under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        ref = request.collection
        await require_own_collection(self._reader, ref)
        if request.method in DEBITS_A_MEMBER:
            raise Refused("basis_missing", f"A collection by {request.method} needs its member's consent.")
        async with heartbeating():
            platform = await self._platforms.get(ref.platform_no)
            return await self._channel.create(
                CollectionOrder(
                    request_no=bank_request_no(ref.platform_no, ref.request_no),
                    custody_account_no=platform.custody_account_no,
                    method=request.method,
                    amount_fen=request.amount_fen,
                    subject=request.subject,
                    expires_at=request.expires_at,
                    return_url=request.return_url,
                )
            )

    @activity.defn
    async def query_collection(self, ref: CollectionRef) -> CollectionAnswer:
        """Ask the channel how a collection stands."""
        async with heartbeating():
            return await collection_answer(self._reader, self._channel, ref.platform_no, ref.request_no)

    @activity.defn
    async def close_collection(self, ref: CollectionRef) -> CollectionAnswer:
        """Let no payer pay any more; one that is paid or being paid is answered as it stands."""
        await require_own_collection(self._reader, ref)
        async with heartbeating():
            try:
                return await self._channel.close(
                    bank_request_no(ref.platform_no, ref.request_no),
                    custody_account_no=await custody_account_of(self._reader, ref.platform_no),
                )
            except BankDeclined:
                return await collection_answer(self._reader, self._channel, ref.platform_no, ref.request_no)

    @activity.defn
    async def book_payment(self, request: BookPayment) -> Receipt:
        """Credit a payment on its consent, or book it to suspense: once, whichever is first.

        Raises:
            Refused: `payment_differs` when the channel says otherwise, or for another number than the payment's;
                `request_no_reused` when it is booked already, `member_state`, or the consent does not hold.
            BankUnreachable: ask again.
        """
        await require_own_collection(self._reader, request.collection)
        step = request.step
        if step.request_no != payment_booking_no(request.payment.payment_no):
            raise Refused("payment_differs", f"{request.payment.payment_no} is booked under its own number only.")
        async with heartbeating():
            payment = await payment_of(
                self._reader, self._channel, request.collection, request.method, request.payment.payment_no
            )
            settled = bool(payment.settlement_no)
            if not _same(payment, request.payment):
                raise Refused("payment_differs", f"The channel says otherwise about {payment.payment_no}.")
            if not request.member_no:
                entry = collection_recipes.collection_suspended(
                    platform_no=step.platform_no,
                    channel=request.method,
                    payment_no=payment.payment_no,
                    paid_fen=payment.amount_fen,
                )
            else:
                await self._require_receives(step.platform_no, request.member_no)
                await self._require_for_member(request)
                entry = collection_recipes.collection_credited(
                    platform_no=step.platform_no,
                    channel=request.method,
                    member_no=request.member_no,
                    payment_no=payment.payment_no,
                    paid_fen=payment.amount_fen,
                    asked_fen=request.asked_fen,
                    pending_day=await self._pending_day(step.platform_no, payment, settled=settled),
                )
            content = {"payment_no": payment.payment_no, "paid_fen": payment.amount_fen}
            posting = step.posting(entry=entry, content=content)
            suspended_fen = payment.amount_fen - (request.asked_fen if request.member_no else 0)
            if suspended_fen > 0:
                credit = suspended_credit(
                    payment_no=payment.payment_no,
                    amount_fen=suspended_fen,
                    collected_for=await member_behind(self._reader, step.platform_no, step.object_no),
                )
                posting = replace(posting, changes=(*posting.changes, credit))
            return await self._writer.post(posting)

    @activity.defn
    async def suspended_fen(self, payment: PaymentRef) -> int:
        """What of a payment waits in suspense, in fen."""
        return await account_balance_fen(self._reader, suspense(payment.platform_no, payment.payment_no))

    async def _pending_day(self, platform_no: str, payment: ChannelPayment, *, settled: bool) -> date | None:
        """Money that its channel has not settled stays pending until its settlement day is closed."""
        platform = await self._platforms.get(platform_no)
        today = await accounting_day(self._reader, platform_no)
        if not settled:
            return max(today, payment.settles_on)
        return today if platform.config.top_up_settlement == "T+1" else None

    async def _interaction(self, step: Step) -> dict[str, Any] | None:
        """What the channel has the payer do, by its answer about the last collection that was asked for."""
        asked_as = derived(step.object_no, "asked", "")
        steps = await recorded_steps(self._reader, step.platform_no, step.object_kind, step.object_no, facts=())
        asked = [
            number for number in (step.request_no, *(it.request_no for it in steps)) if number.startswith(asked_as)
        ]
        attempt = max((int(number.removeprefix(asked_as)) for number in asked), default=1)
        ref = derived(step.object_no, "collect", attempt)
        answer = await collection_answer(self._reader, self._channel, step.platform_no, ref)
        return None if answer.interaction is None else answer.interaction.document()

    async def _require_receives(self, platform_no: str, member_no: str) -> None:
        statuses = await self._members.statuses(platform_no, member_no)
        require_may(statuses[member_no], Permission.RECEIVE, member_no=member_no)

    async def _require_for_member(self, request: BookPayment) -> None:
        """The credited member consented to just this top-up; whose consent it is, only the books say.

        Raises:
            Refused: `basis_missing` or `basis_mismatch`.
        """
        for basis in request.step.bases:
            consent = await get_consent(self._reader, request.step.platform_no, basis.reference)
            if consent is None:
                raise Refused("basis_missing", f"There is no consent {basis.reference}.")
            agreed = (consent.object_no, consent.operation, consent.given_by, consent.terms.get("amount_fen"))
            if agreed != (request.collection.pay_in_no, TOP_UP, request.member_no, request.asked_fen):
                raise Refused("basis_mismatch", f"The consent {basis.reference} is about another top-up.")


async def require_own_collection(reader: Reader, ref: CollectionRef) -> None:
    """A collection is asked for only by its own top-up's workflow, and only for one in the books.

    Raises:
        Refused: `wrong_workflow` or `not_found`.
    """
    require_own_workflow(platform_no=ref.platform_no, object_kind="pay_in", object_no=ref.pay_in_no)
    if re.fullmatch(rf"{re.escape(ref.pay_in_no)}:collect:\d+", ref.request_no) is None:
        raise Refused("wrong_workflow", f"{ref.request_no} is no collection of {ref.pay_in_no}.")
    await require_entered(reader, platform_no=ref.platform_no, object_kind="pay_in", object_no=ref.pay_in_no)


async def collection_answer(
    reader: Reader, channel: Collections, platform_no: str, collection_no: str
) -> CollectionAnswer:
    """How a collection stands at the channel, by our number of it.

    Raises:
        BankUnreachable: ask again.
    """
    return await channel.query(
        bank_request_no(platform_no, collection_no), custody_account_no=await custody_account_of(reader, platform_no)
    )


async def payment_of(
    reader: Reader, channel: Collections, ref: CollectionRef, method: CollectionMethod, payment_no: str
) -> ChannelPayment:
    """The payment as the channel says that it took it for this collection.

    Raises:
        Refused: `payment_differs`.
        BankUnreachable: ask again.
    """
    answer = await collection_answer(reader, channel, ref.platform_no, ref.request_no)
    payment = next((item for item in answer.payments if item.payment_no == payment_no), None)
    if payment is None or answer.method is not method:
        raise Refused("payment_differs", f"The channel says otherwise about {payment_no}.")
    return payment


def _same(one: ChannelPayment, other: ChannelPayment) -> bool:
    """Whether both are one payment; it is settled at some time, which changes nothing about it."""
    return replace(one, settlement_no="") == replace(other, settlement_no="")
