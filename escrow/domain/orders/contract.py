"""What owner and contractor agreed: the contract as signed, of which nothing changes later."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.operations import milestone_terms, order_operation_hash, pay_terms
from escrow.domain.orders.states import OrderCommand, milestone_unknown
from escrow.domain.requests import derived

Settlement = Literal["T+0", "T+1"]


class _Agreed(BaseModel):
    """Base: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class MilestoneTerms(_Agreed):
    """One milestone as it was signed. `number` counts from 1 in the order of the contract."""

    number: int = Field(ge=1)
    name: str
    kind: MilestoneKind
    amount_fen: int = Field(gt=0)


class OrderPeriods(_Agreed):
    """How long each wait of an order may last before its default happens. Fixed at signing."""

    payment_deadline: timedelta = timedelta(hours=24)
    start_deadline: timedelta = timedelta(days=30)
    stage_deadline: timedelta = timedelta(days=90)
    rectification_deadline: timedelta = timedelta(days=30)
    inspection_period: timedelta = timedelta(days=7)
    reminder_before_end: timedelta = timedelta(hours=24)
    retention_period: timedelta = timedelta(days=90)
    cancel_proposal_validity: timedelta = timedelta(days=7)


class OrderContract(_Agreed):
    """The decoration contract between owner and contractor, as signed."""

    platform_no: str
    order_no: str
    owner_no: str
    contractor_no: str
    total_fen: int = Field(gt=0)
    milestones: tuple[MilestoneTerms, ...] = Field(min_length=1)
    commission_basis_points: int = Field(ge=0, le=10_000)
    release_settlement: Settlement = "T+0"
    withdraw_automatically: bool = False
    periods: OrderPeriods = OrderPeriods()
    routing_objective: Literal["cheapest", "fastest", "balanced"] = "balanced"
    withdrawal_fee_fen: int = Field(default=0, ge=0)
    large_withdrawal_sms_above_fen: int = 5_000_000
    payee_is_platform: bool = False
    config_version: int = 1

    @property
    def payee_no(self) -> str:
        """Member that the order pays; empty when it is the platform itself."""
        return "" if self.payee_is_platform else self.contractor_no

    @property
    def inspection_days(self) -> int:
        """Silence of so many days is acceptance."""
        return self.periods.inspection_period // timedelta(days=1)

    @property
    def kinds(self) -> tuple[MilestoneKind, ...]:
        """Kinds of the milestones in the order of the contract."""
        return tuple(milestone.kind for milestone in self.milestones)

    def of_kind(self, kind: MilestoneKind) -> tuple[MilestoneTerms, ...]:
        """Milestones of one kind in the order of the contract."""
        return tuple(milestone for milestone in self.milestones if milestone.kind is kind)

    def terms(self, operation: OrderCommand, milestone: int | None, *, method: str | None = None) -> dict[str, Any]:
        """What exactly a party consents to with a command.

        Args:
            method: collection method by which an order is paid; None for the owner's balance.

        Raises:
            Refused: `milestone_unknown`, the contract does not have it.
        """
        if operation is OrderCommand.PAY:
            return pay_terms(total_fen=self.total_fen, inspection_days=self.inspection_days, method=method)
        if milestone is None:
            return {}
        if not 1 <= milestone <= len(self.milestones):
            raise milestone_unknown(operation, milestone, len(self.milestones))
        return milestone_terms(milestone=milestone, amount_fen=self.milestones[milestone - 1].amount_fen)

    def consent_hash(
        self, operation: OrderCommand, *, by: str, milestone: int | None, method: str | None = None
    ) -> str:
        """Hash of what a party consents to with a command.

        Args:
            milestone: its number for commands that concern one; one that the contract has.
            method: collection method by which an order is paid; None for the owner's balance.
        """
        terms = self.terms(operation, milestone, method=method)
        return order_operation_hash(
            platform_no=self.platform_no, order_no=self.order_no, operation=operation.value, by=by, terms=terms
        )


def opening_consent_no(order_no: str) -> str:
    """Number of the platform's consent to an order's contract; it cannot meet one that a platform gives."""
    return derived("", "order", order_no, "open")


def automatic_withdrawal_no(order_no: str, milestone: int) -> str:
    """Number of the withdrawal that follows the release of a milestone by itself."""
    return derived(order_no, f"M{milestone}", "withdrawal", 1)
