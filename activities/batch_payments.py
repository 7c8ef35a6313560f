"""Activities of a batch payment: one ledger transaction pays its orders, on the one consent to exactly this list.

Whose orders they are, whom they pay and what they cost is read from their contracts in the books, and the consent's
hash is taken of that: another order or amount than was consented to pays nothing.
"""

from dataclasses import replace

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.batch_orders import BatchOrders, batch_orders, not_waiting
from activities.guards import require_consent
from activities.heartbeat import heartbeating
from activities.pay_ins import collection_answer
from activities.steps import Step, used_before
from escrow.channels.collections import Collections
from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    BatchStatus,
    PaidBy,
    Share,
    ShareOutcome,
    allot,
    batch_frozen,
    batch_paid_directly,
    batch_pay_in_no,
)
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, permissions, require_may
from escrow.domain.money.funding import FundingLeg, direct_leg, draw
from escrow.domain.money.journal import Receipt
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense import suspended_credit
from escrow.ledger.balances import member_balances
from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Reader
from escrow.ledger.objects import BusinessObject, get_object
from escrow.ledger.posting import LedgerWriter
from escrow.registry.members.members import Members

#: What may be said of a batch after it was entered.
_TOLD_LATER = frozenset({"told", "reason"})
#: How often a freeze looks at the balances again when somebody else moved them meanwhile.
_DRAW_ATTEMPTS = 5


class PayBatch(BaseModel):
    """One step of a batch.

    Args:
        started_as: first run of the workflow, which tells a repeated attempt from a second batch of the same number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    payer_no: str
    order_nos: tuple[str, ...]
    paid_by: PaidBy
    started_as: str


class BatchOpened(BaseModel):
    """What a channel is to collect: the total, on which consent, and until when the first order waits for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total_fen: int
    consent_no: str
    operation_hash: str
    waits_until: AwareDatetime


class BatchPaid(BaseModel):
    """Which orders were paid, with what in all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_nos: tuple[str, ...]
    frozen_fen: int


class BatchPaymentActivities:
    """Ledger activities of batches."""

    def __init__(self, writer: LedgerWriter, reader: Reader, members: Members, channel: Collections) -> None:
        self._writer = writer
        self._reader = reader
        self._members = members
        self._channel = channel

    @activity.defn
    async def open_batch(self, request: PayBatch) -> BatchOpened:
        """Enter a batch whose total a channel is to collect; its consent is used when the orders are paid.

        Raises:
            Refused: `object_exists`, `not_found`, `not_the_party`, `order_state`, `member_state`, `member_unknown`, or
                the consent does not hold.
        """
        step = request.step
        batch = await self._orders(request)
        consent = batch.consent(paid_by=request.paid_by)
        if await self._entered(request) is None:
            await self._require_all_wait(batch)
            await self._require_parties(batch)
            await require_consent(self._reader, platform_no=step.platform_no, basis=consent)
            document = _document(request, batch, dict.fromkeys(request.order_nos, ShareOutcome.WAITING))
            try:
                await self._writer.post(step.posting(content={"started_as": request.started_as}, document=document))
            except Refused as refusal:
                raise used_before(refusal, step) from refusal
        return BatchOpened(
            total_fen=sum(share.amount_fen for share in batch.shares),
            consent_no=consent.reference,
            operation_hash=consent.operation_hash,
            waits_until=batch.waits_until,
        )

    @activity.defn
    async def freeze_batch(self, request: PayBatch) -> BatchPaid:
        """Freeze the price of every order from the owner's balance, pending money first: all of them or none.

        Raises:
            Refused: `insufficient_balance`, `order_state`, `not_found`, `not_the_party`, `member_state`,
                `member_unknown`, `object_exists`, or the consent does not hold.
        """
        for attempt in range(1, _DRAW_ATTEMPTS + 1):
            try:
                return await self._freeze(request)
            except Refused as refusal:
                done = await self._paid(request)
                if done is not None:
                    return done
                moved_meanwhile = refusal.code == "insufficient_balance" and "missing_fen" not in refusal.details
                if not moved_meanwhile or attempt == _DRAW_ATTEMPTS:
                    raise _told(refusal, request.step) from refusal
        raise AssertionError("the last attempt returns or raises")

    @activity.defn
    async def freeze_batch_direct(self, request: PayBatch, direct: DirectPaid) -> BatchPaid:
        """Freeze what the channel says was paid for the orders that still wait; the shares of the others go back.

        Raises:
            Refused: `payment_differs`, `order_state` when none of the orders waits, `member_state`,
                `request_no_reused` when the payment is booked already, or the consent does not hold.
            BankUnreachable: ask again.
        """
        async with heartbeating():
            batch = await self._orders(request)
            total_fen = sum(share.amount_fen for share in batch.shares)
            await self._require_collected(request, direct, total_fen)
            for _ in batch.orders:
                done = await self._paid(request, payment_no=direct.payment_no)
                if done is not None:
                    return done
                shares = await self._still_payable(batch)
                try:
                    return await self._freeze_direct(request, batch, direct, shares)
                except Refused as refusal:
                    if refusal.code != "claim_taken":
                        raise
            raise not_waiting(batch.orders[-1].contract.order_no)

    @activity.defn
    async def record_batch(self, step: Step) -> Receipt:
        """Record a change of the batch that moves no money: that it was refused, that its orders know, or its closing.

        Raises:
            Refused: `object_exists`, `not_found` for a batch that was never entered, or `order_state` for what only
                money makes true or undoes.
        """
        known = await get_object(self._reader, step.platform_no, BATCH_PAYMENT, step.object_no)
        if known is None and not step.is_first:
            raise Refused("not_found", f"There is no batch {step.object_no}.")
        status = BatchStatus.REFUSED if known is None else BatchStatus(known.status)
        ends = status is BatchStatus.AWAITING_PAYMENT and step.status == BatchStatus.CLOSED
        if not step.is_first and ((step.status != status and not ends) or not step.document.keys() <= _TOLD_LATER):
            raise Refused("order_state", f"The batch {step.object_no} is {status}; only its money changes that.")
        if step.is_first and step.status != BatchStatus.REFUSED:
            raise Refused("order_state", "A batch is entered with its consent, or as refused.")
        try:
            return await self._writer.post(step.posting(content={}))
        except Refused as refusal:
            raise used_before(refusal, step) from refusal

    # ---- postings ----

    async def _freeze(self, request: PayBatch) -> BatchPaid:
        step = request.step
        batch = await self._orders(request)
        await self._require_all_wait(batch)
        await self._require_parties(batch)
        balances = await member_balances(self._reader, step.platform_no, request.payer_no)
        legs = draw(
            withdrawable_fen=balances.withdrawable_fen,
            pending_fen_by_day=balances.pending_fen_by_day,
            amount_fen=sum(share.amount_fen for share in batch.shares),
        )
        entry = batch_frozen(platform_no=step.platform_no, owner_no=request.payer_no, legs=legs, shares=batch.shares)
        posting = _paying(step, batch, request).posting(
            entry=entry,
            content={"started_as": request.started_as, "payer_no": request.payer_no, "paid_by": request.paid_by},
            document=_document(request, batch, dict.fromkeys(request.order_nos, ShareOutcome.FROZEN)),
        )
        paid_at = await books_now(self._reader, step.platform_no)
        await self._writer.post(batch.paid(posting, paid_at=paid_at, funding=allot(legs, batch.shares)))
        return _all_paid(batch.shares)

    async def _freeze_direct(
        self, request: PayBatch, batch: BatchOrders, direct: DirectPaid, shares: tuple[Share, ...]
    ) -> BatchPaid:
        step = request.step
        entry = batch_paid_directly(
            platform_no=step.platform_no,
            channel=direct.method,
            owner_no=request.payer_no,
            payment_no=direct.payment_no,
            paid_fen=direct.paid_fen,
            shares=shares,
        )
        funding: dict[str, tuple[FundingLeg, ...]] = {
            share.order_no: (direct_leg(payment_no=direct.payment_no, amount_fen=share.amount_fen),) for share in shares
        }
        outcomes = {
            number: ShareOutcome.FROZEN if number in funding else ShareOutcome.RETURNED for number in request.order_nos
        }
        # The payment's own number: it is booked once, for the batch, or by what had it collected.
        update = {"request_no": payment_booking_no(direct.payment_no)}
        posting = (
            _paying(step, batch, request)
            .model_copy(update=update)
            .posting(
                entry=entry,
                content={"payment_no": direct.payment_no, "paid_fen": direct.paid_fen},
                document={**_document(request, batch, outcomes), "direct": direct.model_dump(mode="json")},
            )
        )
        suspended_fen = direct.paid_fen - sum(share.amount_fen for share in shares)
        if suspended_fen:
            credit = suspended_credit(
                payment_no=direct.payment_no, amount_fen=suspended_fen, collected_for=batch.payer_no
            )
            posting = replace(posting, changes=(*posting.changes, credit))
        paid_at = await books_now(self._reader, step.platform_no)
        await self._writer.post(batch.paid(posting, paid_at=paid_at, funding=funding, direct=direct))
        return _all_paid(shares)

    # ---- what the books and the channel say ----

    async def _orders(self, request: PayBatch) -> BatchOrders:
        return await batch_orders(
            self._reader,
            platform_no=request.step.platform_no,
            batch_no=request.step.object_no,
            payer_no=request.payer_no,
            order_nos=request.order_nos,
        )

    async def _entered(self, request: PayBatch) -> BusinessObject | None:
        """The batch as this very run has entered it."""
        found = await get_object(self._reader, request.step.platform_no, BATCH_PAYMENT, request.step.object_no)
        return found if found is not None and found.body["started_as"] == request.started_as else None

    async def _paid(self, request: PayBatch, *, payment_no: str = "") -> BatchPaid | None:
        """What this very run has paid, with this payment of a channel if with any; None when it has not."""
        entered = await self._entered(request)
        if entered is None or entered.status != BatchStatus.PAID:
            return None
        if (entered.body.get("direct") or {}).get("payment_no", "") != payment_no:
            return None
        frozen = [order for order in entered.body["orders"] if order["outcome"] == ShareOutcome.FROZEN]
        return BatchPaid(order_nos=tuple(order["order_no"] for order in frozen), frozen_fen=entered.body["frozen_fen"])

    async def _require_all_wait(self, batch: BatchOrders) -> None:
        waiting = {share.order_no for share in batch.waiting}
        for order in batch.orders:
            if order.contract.order_no not in waiting:
                raise not_waiting(order.contract.order_no)

    async def _require_parties(self, batch: BatchOrders) -> None:
        """Whoever began to close since the orders were opened neither pays nor is paid."""
        payees = {share.payee_no for share in batch.shares if share.payee_no}
        statuses = await self._members.statuses(batch.platform_no, batch.payer_no, *payees)
        require_may(statuses[batch.payer_no], Permission.PAY, member_no=batch.payer_no)
        for payee_no in payees:
            require_may(statuses[payee_no], Permission.RECEIVE, member_no=payee_no)

    async def _still_payable(self, batch: BatchOrders) -> tuple[Share, ...]:
        """Shares of the orders that wait for their payment and whose payee may receive."""
        waiting = batch.waiting
        payees = {share.payee_no for share in waiting if share.payee_no}
        statuses = await self._members.statuses(batch.platform_no, batch.payer_no, *payees)
        require_may(statuses[batch.payer_no], Permission.PAY, member_no=batch.payer_no)
        receiving = {
            payee_no
            for payee_no in payees
            if Permission.RECEIVE in permissions(statuses[payee_no], identity_required_for_withdrawal=False)
        }
        shares = tuple(share for share in waiting if not share.payee_no or share.payee_no in receiving)
        if not shares:
            raise not_waiting(batch.orders[0].contract.order_no)
        return shares

    async def _require_collected(self, request: PayBatch, direct: DirectPaid, total_fen: int) -> None:
        """The channel collected at least the total, for just this batch.

        Raises:
            Refused: `payment_differs`.
            BankUnreachable: the channel does not say.
        """
        step = request.step
        answer = await collection_answer(self._reader, self._channel, step.platform_no, direct.collection_no)
        payment = next((item for item in answer.payments if item.payment_no == direct.payment_no), None)
        if (
            payment is None
            or direct.pay_in_no != batch_pay_in_no(step.object_no)
            or not direct.collection_no.startswith(derived(direct.pay_in_no, "collect", ""))
            or answer.method is not direct.method
            or (payment.amount_fen, payment.settles_on) != (direct.paid_fen, direct.settles_on)
            or payment.amount_fen < total_fen
        ):
            raise Refused("payment_differs", f"The channel says otherwise about {direct.payment_no}.")


def _document(request: PayBatch, batch: BatchOrders, outcomes: dict[str, ShareOutcome]) -> dict[str, object]:
    frozen = [share.amount_fen for share in batch.shares if outcomes[share.order_no] is ShareOutcome.FROZEN]
    return {
        "payer_no": request.payer_no,
        "paid_by": str(request.paid_by),
        "orders": batch.document(outcomes),
        "total_fen": sum(share.amount_fen for share in batch.shares),
        "frozen_fen": sum(frozen),
        "started_as": request.started_as,
    }


def _paying(step: Step, batch: BatchOrders, request: PayBatch) -> Step:
    """The step that pays; what it stands on is taken from the books."""
    update = {
        "status": BatchStatus.PAID.value,
        "event_type": f"{BATCH_PAYMENT}.paid",
        "bases": (batch.consent(paid_by=request.paid_by),),
    }
    return step.model_copy(update=update)


def _all_paid(shares: tuple[Share, ...]) -> BatchPaid:
    return BatchPaid(
        order_nos=tuple(share.order_no for share in shares), frozen_fen=sum(share.amount_fen for share in shares)
    )


def _told(refusal: Refused, step: Step) -> Refused:
    """The refusal in the words of one who asked for a batch."""
    if refusal.code == "claim_taken":
        return not_waiting(str(refusal.details["name"]).split("/")[1])
    return used_before(refusal, step)
