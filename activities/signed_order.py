"""What the books say of an order: the contract as signed and the steps taken, against which every request is held.

A workflow's input and state can be invented by whoever may start workflows. The contract was entered once and the
steps are append-only, so a step that moves money, starts a clock or ends an order is compared with them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from activities.steps import Step
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.errors import Refused
from escrow.domain.money.accounts import escrow
from escrow.domain.money.amounts import ratio
from escrow.domain.money.funding import FundingLeg, give_back
from escrow.domain.money.journal import Basis, DeadlineChange
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.operations import milestone_terms, order_operation_hash, pay_terms
from escrow.domain.orders.splits import split
from escrow.domain.orders.states import OrderCommand, OrderStatus
from escrow.domain.requests import derived
from escrow.ledger.balances import account_balance_fen
from escrow.ledger.engine import Reader
from escrow.ledger.objects import recorded_steps

_KIND_OF_RECIPE = {
    "deposit_released": MilestoneKind.START,
    "milestone_released": MilestoneKind.ACCEPTANCE,
    "retention_released": MilestoneKind.WARRANTY,
}
#: Event of the step that pays an order.
PAID = "order.paid"
_INSPECTION = re.compile(r"M(\d+):inspection:(\d+)")
_PERIOD = TypeAdapter(timedelta)
#: How much later than it happened a step may have been recorded: the ledger may have been away.
_RECORDED_LATE = timedelta(hours=1)
#: How far the books' clock and the one that a workflow carries along may be apart.
_CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """One order in the books.

    `taken_at` has the business time of every step by its request number, `recorded_at` the database's own time, and
    `moved_money` the numbers of those that posted an entry; `funding` is what paid the order, `direct` the channel's
    payment where one did.
    """

    platform_no: str
    order_no: str
    contract: Mapping[str, Any]
    taken_at: Mapping[str, datetime]
    recorded_at: Mapping[str, datetime]
    moved_money: frozenset[str]
    funding: tuple[FundingLeg, ...]
    direct: DirectPaid | None
    #: The batch that it was paid with, empty when it was paid alone.
    batch_no: str
    #: Until when a paid order waits for the start of work.
    start_due_at: datetime | None

    @property
    def inspection_days(self) -> int:
        """Silence of so many days is acceptance."""
        return self._period("inspection_period") // timedelta(days=1)

    @property
    def payment_due_at(self) -> datetime:
        """Until when the order waits for its payment."""
        return self.taken_at[derived(self.order_no, "open")] + self._period("payment_deadline")

    @property
    def start_period(self) -> timedelta:
        """How long a paid order waits for the start of work."""
        return self._period("start_deadline")

    @property
    def payee_no(self) -> str:
        """Member that the order pays; empty when it is the platform itself."""
        return "" if self.contract["payee_is_platform"] else str(self.contract["contractor_no"])

    def require(self, *, milestone: Mapping[str, Any] | None = None, **terms: Any) -> None:
        """The contract must say what the request says.

        Args:
            milestone: fields of one milestone, named by its `number`.
            terms: top-level fields of the contract with the values that the request relies on.

        Raises:
            Refused: `contract_differs`.
        """
        differs = {name for name, value in terms.items() if self.contract.get(name) != value}
        if milestone is not None:
            signed = self._milestone(milestone["number"])
            differs |= {name for name, value in milestone.items() if signed.get(name) != value}
        if differs:
            raise self._differs(", ".join(sorted(differs)))

    def require_payment(self, step: Step, *, method: str = "") -> None:
        """The price is frozen on the owner's consent to pay it so: from its balance, or by this collection method.

        Raises:
            Refused: `basis_mismatch`.
        """
        terms = pay_terms(
            total_fen=sum(item["amount_fen"] for item in self.contract["milestones"]),
            inspection_days=self._period("inspection_period") // timedelta(days=1),
            method=method,
        )
        expected = self._consent_hash(OrderCommand.PAY, str(self.contract["owner_no"]), terms)
        for basis in step.bases:
            if basis.operation_hash != expected:
                raise _no_basis(basis)

    def require_release(self, step: Step, *, recipe: str, milestone: int, gross_fen: int, commission_fen: int) -> None:
        """A release follows from the contract: its kind, who must have agreed or what must have passed, its split.

        Raises:
            Refused: `contract_differs`, or `basis_mismatch`.
        """
        kind = _KIND_OF_RECIPE[recipe]
        self.require(milestone={"number": milestone, "amount_fen": gross_fen, "kind": kind})
        owner, contractor = str(self.contract["owner_no"]), str(self.contract["contractor_no"])
        allowed = {
            MilestoneKind.START: self._consent_hash(OrderCommand.START, contractor, {}),
            MilestoneKind.ACCEPTANCE: self._consent_hash(
                OrderCommand.ACCEPT, owner, milestone_terms(milestone=milestone, amount_fen=gross_fen)
            ),
            MilestoneKind.WARRANTY: "",
        }[kind]
        clock = f"M{milestone}:inspection:" if kind is MilestoneKind.ACCEPTANCE else "warranty"
        for basis in step.bases:
            if basis.kind == "consent":
                holds = bool(allowed) and basis.operation_hash == allowed
            else:
                holds = basis.reference.startswith(f"order/{self.order_no}/{clock}")
            if not holds:
                raise _no_basis(basis)
        if step.request_no in self.taken_at:
            return  # a repeat is answered by what it did
        before_fen = sum(item["amount_fen"] for item in self.contract["milestones"] if self._is_released(item))
        rate = int(self.contract["commission_basis_points"])
        due = split(
            gross_fen=gross_fen,
            released_before_fen=before_fen,
            commission_before_fen=int(ratio(rate) * before_fen),
            rate=rate,
        )
        if commission_fen != due.commission_fen:
            raise self._differs("commission_fen")

    def require_clocks(self, step: Step) -> None:
        """A clock that ends in a release runs as long as was signed; the warranty's after the last work milestone.

        Raises:
            Refused: `contract_differs`.
        """
        if step.request_no in self.taken_at:
            return
        for clock in step.deadlines:
            if clock.due_at is None:
                continue
            inspection = _INSPECTION.fullmatch(clock.name)
            if inspection is not None:
                left = self._inspection_left(int(inspection[1]), rounds=int(inspection[2]) - 1, times=self.taken_at)
                self._require_due(clock, step.occurred_at + left)
            elif clock.name == "warranty":
                self._require_due(clock, step.occurred_at + self._period("retention_period"))
                for item in self.contract["milestones"]:
                    ends_with_this = step.request_no == self.release_no(item)
                    if item["kind"] == MilestoneKind.ACCEPTANCE and not (self._is_released(item) or ends_with_this):
                        raise self._differs("the milestones before the warranty")

    def require_elapsed(self, step: Step, *, now: datetime) -> None:
        """Silence is an answer, and the warranty over, only after the signed time by the books.

        A workflow's clock may be moved by whoever may write to Temporal.

        Args:
            now: the books' time.

        Raises:
            Refused: `basis_not_due`.
        """
        if step.request_no in self.taken_at:
            return
        for basis in step.bases:
            name = basis.reference.removeprefix(f"order/{self.order_no}/")
            inspection = _INSPECTION.fullmatch(name)
            if basis.kind != "deadline" or (inspection is None and name != "warranty"):
                continue
            if inspection is not None:
                milestone, number = int(inspection[1]), int(inspection[2])
                began = [self.recorded_at.get(derived(self.order_no, f"M{milestone}", "complete", number))]
                lasts = self._inspection_left(milestone, rounds=number - 1, times=self.recorded_at)
            else:
                stages = [item for item in self.contract["milestones"] if item["kind"] == MilestoneKind.ACCEPTANCE]
                began = [
                    self.recorded_at[self.release_no(item)] if self._is_released(item) else None for item in stages
                ]
                lasts = self._period("retention_period")
            if any(moment is None or now < moment + lasts - _RECORDED_LATE for moment in began):
                raise Refused("basis_not_due", f"The time that was signed for {basis.reference} is not over.")

    async def require_end(self, reader: Reader, step: Step) -> None:
        """A step without money may end the order only when no money is in it.

        Raises:
            Refused: `money_inside`.
        """
        if OrderStatus(step.status).is_final and await self._held_fen(reader):
            raise Refused("money_inside", f"The order {self.order_no} holds money and cannot end like this.")

    async def require_refund(self, reader: Reader, step: Step, *, owner_no: str, parts: tuple[FundingLeg, ...]) -> None:
        """A refund gives back all that is left, to where it came from: by both sides, or by one before the start.

        Raises:
            Refused: `contract_differs`, or `basis_mismatch`.
        """
        self.require(owner_no=owner_no)
        sides = [
            self._consent_hash(OrderCommand.CANCEL, str(self.contract[side]), {})
            for side in ("owner_no", "contractor_no")
        ]
        for basis in step.bases:
            if basis.kind == "consent" and basis.operation_hash not in sides:
                raise _no_basis(basis)
            if basis.kind == "deadline" and basis.reference != f"order/{self.order_no}/start":
                raise _no_basis(basis)
        if self._has_begun() and {basis.operation_hash for basis in step.bases} != set(sides):
            raise Refused("basis_mismatch", "Once work has begun it takes both sides to cancel.")
        if step.request_no not in self.taken_at:
            left, _ = give_back(self.funding, await self._held_fen(reader))
            if list(left) != list(parts):
                raise self._differs("what is to be refunded")

    def release_no(self, milestone: Mapping[str, Any]) -> str:
        """Request number of the release of one milestone of the contract."""
        return derived(self.order_no, f"M{milestone['number']}", "release", 1)

    # ---- what the books say ----

    def _milestone(self, number: int) -> Mapping[str, Any]:
        found: list[Mapping[str, Any]] = [item for item in self.contract["milestones"] if item["number"] == number]
        return found[0] if found else {}

    def _is_released(self, milestone: Mapping[str, Any]) -> bool:
        return self.release_no(milestone) in self.moved_money

    def _has_begun(self) -> bool:
        released = any(self._is_released(item) for item in self.contract["milestones"])
        return released or derived(self.order_no, "start") in self.taken_at

    def _inspection_left(self, milestone: int, *, rounds: int, times: Mapping[str, datetime]) -> timedelta:
        """What is left of the signed inspection period after so many rounds that ended in a rectification."""
        left = self._period("inspection_period")
        for number in range(1, rounds + 1):
            began = times.get(derived(self.order_no, f"M{milestone}", "complete", number))
            paused = times.get(derived(self.order_no, f"M{milestone}", "rectify", number))
            if began is not None and paused is not None:
                left = max(left - (paused - began), timedelta(0))
        return left

    def _period(self, name: str) -> timedelta:
        return _PERIOD.validate_python(self.contract["periods"][name])

    def _require_due(self, clock: DeadlineChange, earliest: datetime) -> None:
        if clock.due_at is not None and clock.due_at < earliest - _CLOCKS_APART:
            raise self._differs(clock.name)

    async def _held_fen(self, reader: Reader) -> int:
        return await account_balance_fen(
            reader, escrow(self.platform_no, str(self.contract["owner_no"]), self.order_no)
        )

    def _consent_hash(self, operation: OrderCommand, by: str, terms: dict[str, Any]) -> str:
        return order_operation_hash(
            platform_no=self.platform_no, order_no=self.order_no, operation=operation.value, by=by, terms=terms
        )

    def _differs(self, about: str) -> Refused:
        return Refused(
            "contract_differs", f"The contract of {self.order_no} in the books says otherwise about: {about}."
        )


async def signed_order(reader: Reader, platform_no: str, order_no: str) -> SignedOrder:
    """The order as the books have it.

    Raises:
        Refused: `not_found` when it was never opened.
    """
    steps = await recorded_steps(
        reader, platform_no, "order", order_no, facts=("contract", "funding", "direct", "batch_no", "step_due_at")
    )
    if not steps:
        raise Refused("not_found", f"There is no order {order_no}.")
    paid = next((step.facts for step in steps if step.moved_money and step.event_type == PAID), {})
    return SignedOrder(
        platform_no=platform_no,
        order_no=order_no,
        contract=steps[0].facts["contract"],
        taken_at={step.request_no: step.occurred_at for step in steps},
        recorded_at={step.request_no: step.recorded_at for step in steps},
        moved_money=frozenset(step.request_no for step in steps if step.moved_money),
        funding=tuple(FundingLeg(**leg) for leg in paid.get("funding", ())),
        direct=DirectPaid(**paid["direct"]) if paid.get("direct") else None,
        batch_no=paid.get("batch_no") or "",
        start_due_at=datetime.fromisoformat(paid["step_due_at"]) if paid.get("step_due_at") else None,
    )


async def require_standing_order(
    reader: Reader, *, platform_no: str, order_no: str, released_as: str, fee_fen: int
) -> SignedOrder:
    """A withdrawal that follows a release needs an order that says so, and exactly one of its releases.

    Returns:
        The order.

    Raises:
        Refused: `contract_differs`.
    """
    order = await signed_order(reader, platform_no, order_no)
    order.require(withdraw_automatically=True, withdrawal_fee_fen=fee_fen)
    releases = {order.release_no(item) for item in order.contract["milestones"]}
    if released_as not in releases & order.moved_money:
        raise Refused("contract_differs", f"{released_as} is no release of {order_no}.")
    return order


def _no_basis(basis: Basis) -> Refused:
    return Refused("basis_mismatch", f"The {basis.kind} {basis.reference} is not about this.")
