"""A batch payment as the books decide it: an owner's orders are paid by one posting, on one consent to this very list.

Whose orders they are, whom they pay and what they cost is read from their contracts. From the balance all of them are
frozen or none; what a channel collected is frozen for those that still wait, and the rest of it goes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.collections.batch_commands import BatchCommand, CloseBatch, OpenBatch, PaidByChannel, PayFromBalance
from escrow.domain.collections.batch_orders import Together, not_waiting, orders_of, share_of, status_of
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
from escrow.domain.collections.batch_rules import authorised_by, require_allowed
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.states import BATCH_TRANSITIONS, BatchEvent
from escrow.domain.decisions import Decision, Facts, NotInBooks, ObjectKind, Stored
from escrow.domain.documents import OptionalText
from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.money.funding import direct_leg, draw
from escrow.domain.money.journal import Basis, CounterUse
from escrow.domain.orders.payment import limit_of_day
from escrow.domain.platforms.rules import require_agreed
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.transfers.suspense import suspended_credit
from escrow.domain.transitions import moved


class ShareState(BaseModel):
    """One order of a batch and what became of its share; `payee_no` is empty when the platform itself is paid."""

    model_config = ConfigDict(frozen=True)

    order_no: str
    payee_no: str
    amount_fen: int
    outcome: ShareOutcome


class BatchState(BaseModel):
    """The state of a batch, in fen.

    Args:
        waits_until: until when the first of its orders waits for the payment, where a channel collects.
        direct: the payment that a channel took.
        counted_on: day on whose limit the total counts.
    """

    model_config = ConfigDict(frozen=True)

    status: BatchStatus
    payer_no: str
    paid_by: PaidBy
    orders: tuple[ShareState, ...]
    total_fen: int
    frozen_fen: int = 0
    config_version: int | None = None
    waits_until: AwareDatetime | None = None
    counted_on: str | None = None
    direct: DirectPaid | None = None
    reason: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPayment:
    """One batch: its orders as the consent lists them, and what became of each. `written` is as in the books."""

    platform_no: str
    batch_no: str
    state: BatchState
    version: int
    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """A batch that stands in the books."""
        assert stored.status is not None  # noqa: S101 - whatever stands in the books has a status
        shares = {"orders": (), "total_fen": 0}  # what the first release refused says no more
        return cls(
            platform_no=stored.platform_no,
            batch_no=stored.object_no,
            state=BatchState.model_validate({**shares, **stored.body, "status": stored.status}),
            version=stored.version,
            written=stored.body,
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.status.value

    def document(self) -> dict[str, Any]:
        """Its whole document."""
        return self.state.model_dump(mode="json", exclude={"status"})

    def told(self, command: Any) -> dict[str, Any]:
        """How it stands: all that is told of a step of the first release, whose answers were not kept."""
        return {"status": self.status}

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple["BatchPayment", Decision]:
        """The batch after a command, and what that does to its orders and the money.

        Args:
            at: the books' time.

        Raises:
            Refused: a rule says no.
        """
        match command:
            case PaidByChannel():
                return self._paid(command, at, facts)
            case CloseBatch():
                return self._closed(command)
            case _:
                raise Refused("object_exists", f"The batch {self.batch_no} exists already; use another number.")

    def require_waits(self, payer_no: str, amount_fen: int) -> None:
        """It waits for just this amount of its payer.

        Raises:
            Refused: `not_the_party`, `batch_differs`, or `order_state`.
        """
        if payer_no != self.state.payer_no:
            raise Refused("not_the_party", f"Only the owner of its orders may pay the batch {self.batch_no}.")
        if amount_fen != self.state.total_fen:
            raise Refused("batch_differs", f"The orders of {self.batch_no} cost another amount.")
        if self.state.status is not BatchStatus.AWAITING_PAYMENT:
            raise Refused("order_state", f"The batch {self.batch_no} is {self.status} and waits for no payment.")

    def _paid(self, command: PaidByChannel, at: datetime, facts: Facts) -> tuple["BatchPayment", Decision]:
        """Frozen for the orders that still wait and whose payee may receive; the rest waits in suspense."""
        payment, state = command.payment, self.state
        ours = derived(batch_pay_in_no(self.batch_no), "collect", "")
        collected_for_it = payment.pay_in_no == batch_pay_in_no(self.batch_no)
        if not collected_for_it or not payment.collection_no.startswith(ours) or payment.paid_fen < state.total_fen:
            raise Refused("payment_differs", f"The channel says otherwise about {payment.payment_no}.")
        status = moved(BATCH_TRANSITIONS, state.status, BatchEvent.CHANNEL_PAID, code="order_state")
        together = Together(self.platform_no, self.batch_no, state.payer_no, orders_of(facts))
        require_may(status_of(facts, state.payer_no), Permission.PAY, member_no=state.payer_no)
        payable = together.payable(facts)
        if not payable:
            raise not_waiting(state.orders[0].order_no)
        shares = [share_of(order) for order in payable]
        legs = {
            share.order_no: (direct_leg(payment_no=payment.payment_no, amount_fen=share.amount_fen),)
            for share in shares
        }
        entry = batch_paid_directly(
            platform_no=self.platform_no,
            channel=payment.method,
            owner_no=state.payer_no,
            payment_no=payment.payment_no,
            paid_fen=payment.paid_fen,
            shares=shares,
        )
        outcome = dict.fromkeys(legs, ShareOutcome.FROZEN)
        after = state.model_copy(
            update={
                "status": status,
                "orders": tuple(
                    item.model_copy(update={"outcome": outcome.get(item.order_no, ShareOutcome.RETURNED)})
                    for item in state.orders
                ),
                "frozen_fen": sum(share.amount_fen for share in shares),
                "direct": payment,
                "reason": None,
            }
        )
        decision = self._step("paid", command, after)
        left_fen = payment.paid_fen - after.frozen_fen
        if left_fen:
            credit = suspended_credit(payment_no=payment.payment_no, amount_fen=left_fen, collected_for=state.payer_no)
            decision = replace(decision, follows=(credit,))
        paid = together.paid(decision, legs, payment, entry=entry, consent=together.consent(state.paid_by), at=at)
        return self._becomes(after, replace(paid, has_read=(*paid.has_read, *together.members(facts))))

    def _closed(self, command: CloseBatch) -> tuple["BatchPayment", Decision]:
        state = self.state
        status = moved(BATCH_TRANSITIONS, state.status, BatchEvent.NOT_PAID, code="order_state")
        after = state.model_copy(update={"status": status, "reason": command.reason, "counted_on": None})
        counters: tuple[CounterUse, ...] = ()
        if state.counted_on is not None:
            # What came to nothing has used nothing of the limit of its day.
            name = f"order/{state.payer_no}/{state.counted_on}"
            counters = (CounterUse(name=name, add_fen=-state.total_fen, maximum_fen=None, limit=""),)
        return self._becomes(after, replace(self._step("closed", command, after), counters=counters))

    def _becomes(self, after: BatchState, decision: Decision) -> tuple["BatchPayment", Decision]:
        batch = replace(self, state=after, version=self.version + 1)
        return batch, replace(decision, event=batch.document())

    def _step(self, what: str, command: BatchCommand, after: BatchState) -> Decision:
        return Decision(
            request_no=command.own_no(self.batch_no) or "",
            event_type=f"{BATCH_PAYMENT}.{what}",
            event={},
            answer={"status": after.status.value},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnopenedBatch(NotInBooks):
    """A batch of which nothing stands in the books but, at most, its owner's consent."""

    platform_no: str
    batch_no: str

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple[BatchPayment, Decision]:
        """Pay it from the balance, or enter it for a channel to collect; every other command finds no batch.

        Args:
            at: the books' time.

        Raises:
            Refused: `not_found`, `not_the_party`, `order_state`, `limit_exceeded`, `insufficient_balance`,
                `member_state`, `member_unknown`, `function_off`, `authorisation_required`, or `basis_mismatch`: it
                lists something else.
        """
        if not isinstance(command, (PayFromBalance, OpenBatch)):
            raise Refused("not_found", f"There is no batch payment {self.batch_no}.")
        consent = facts.required_consent(command.consent_no or "")
        assert facts.config is not None  # noqa: S101 - the command declares it
        payer_no, config = consent.given_by, facts.config
        paid_by: PaidBy = "balance"
        if consent.terms["paid_by"] != "balance":
            paid_by = CollectionMethod(consent.terms["paid_by"])
        if isinstance(command, PayFromBalance) != (paid_by == "balance"):
            raise Refused("basis_mismatch", f"The owner consented to have {self.batch_no} paid otherwise.")
        orders = orders_of(facts, named=[share["order_no"] for share in consent.terms["orders"]])
        together = Together(self.platform_no, self.batch_no, payer_no, orders)
        together.require_ready(facts)
        shares = [share_of(order) for order in orders]
        basis = together.consent(paid_by)
        if basis.operation_hash != consent.operation_hash:
            raise Refused("basis_mismatch", f"The orders of {self.batch_no} are not what was consented to.")
        under = [facts.pays_under[version] for version in sorted({order.contract.config_version for order in orders})]
        require_allowed(config, under, paid_by, sum(share.amount_fen for share in shares))
        require_agreed(*authorised_by(config, under, paid_by), consent.method)
        state = BatchState(
            status=BatchStatus.AWAITING_PAYMENT,
            payer_no=payer_no,
            paid_by=paid_by,
            orders=tuple(
                ShareState(
                    order_no=share.order_no,
                    payee_no=share.payee_no,
                    amount_fen=share.amount_fen,
                    outcome=ShareOutcome.WAITING,
                )
                for share in shares
            ),
            total_fen=sum(share.amount_fen for share in shares),
            config_version=facts.config_version,
        )
        counters = limit_of_day(payer_no, state.total_fen, config, at)
        before = BatchPayment(platform_no=self.platform_no, batch_no=self.batch_no, state=state, version=0)
        if isinstance(command, OpenBatch):
            counted_on = at.astimezone(SHANGHAI).date().isoformat() if counters else None
            after = state.model_copy(update={"waits_until": together.waits_until, "counted_on": counted_on})
            decision = replace(before._step("opened", command, after), has_read=together.read)
        else:
            after, decision = _from_balance(before, command, together, shares, basis, at, facts)
        members = together.members(facts)
        return before._becomes(after, replace(decision, counters=counters, has_read=(*decision.has_read, *members)))


def _from_balance(
    before: BatchPayment,
    command: PayFromBalance,
    together: "Together",
    shares: Sequence[Share],
    basis: Basis,
    at: datetime,
    facts: Facts,
) -> tuple[BatchState, Decision]:
    state = before.state
    assert facts.spendable is not None  # noqa: S101 - the command declares it
    legs = draw(
        withdrawable_fen=facts.spendable.withdrawable_fen,
        pending_fen_by_day=facts.spendable.pending_fen_by_day,
        amount_fen=state.total_fen,
    )
    entry = batch_frozen(platform_no=before.platform_no, owner_no=state.payer_no, legs=legs, shares=shares)
    after = state.model_copy(
        update={
            "status": BatchStatus.PAID,
            "orders": tuple(item.model_copy(update={"outcome": ShareOutcome.FROZEN}) for item in state.orders),
            "frozen_fen": state.total_fen,
        }
    )
    decision = before._step("paid", command, after)
    return after, together.paid(decision, allot(legs, shares), None, entry=entry, consent=basis, at=at)


def restored(stored: Stored) -> BatchPayment | UnopenedBatch:
    """The batch as the books have it, or as it is before it stands there."""
    if stored.version == 0:
        return UnopenedBatch(platform_no=stored.platform_no, batch_no=stored.object_no)
    return BatchPayment.of_document(stored)


BATCHES = ObjectKind(name=BATCH_PAYMENT, of=BatchPayment, restored=restored)
