"""What callers send about orders, and how an order is shown."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from api.schemas import AmountFen, BalanceFen, Body, Line, Number, RequestNumber, Time, View
from escrow.domain.orders.milestones import MilestoneKind, Stage
from escrow.domain.orders.states import MilestoneStatus, OrderCommand, OrderStatus, concerns_milestone
from escrow.domain.platforms.config import Days

_ABOUT_ONE = ", ".join(f"`{command}`" for command in OrderCommand if concerns_milestone(command))


class MilestoneOpening(Body):
    """One line of the contract. Either every line has an amount, or every line has a share of the total."""

    name: Line = Field(min_length=1, max_length=80, examples=["水电验收"])
    kind: MilestoneKind = Field(
        description="What releases its money: `start` of the work (the deposit, first), `acceptance` of a stage, "
        "or the end of the `warranty` (the retention, last)."
    )
    amount_fen: AmountFen | None = None
    share: str | None = Field(
        default=None,
        max_length=32,
        description="Share of the total, e.g. `30%`; rounded down, the last line takes the rest.",
        examples=["30%"],
    )

    def stage(self) -> Stage:
        """The line as the domain cuts it."""
        return Stage(name=self.name, kind=self.kind, amount_fen=self.amount_fen, share=self.share)


class OrderOpening(Body):
    """A decoration contract as the parties signed it."""

    order_no: Number = Field(examples=["D-1001"])
    owner_no: Number = Field(description="Member who pays.", examples=["O-1"])
    contractor_no: Number | None = Field(
        default=None,
        description="Member who is paid; absent exactly when the platform is self-operated.",
        examples=["C-1"],
    )
    total_fen: AmountFen
    milestones: tuple[MilestoneOpening, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="The plan. When absent, the usual one: deposit 30 %, plumbing and wiring 30 %, tiling and "
        "carpentry 20 %, completion 15 %, retention 5 %.",
    )
    withdraw_automatically: bool = Field(
        default=False, description="Withdraw to the contractor's default bank account after each release."
    )
    inspection_days: Annotated[Days, Field(ge=1)] | None = Field(
        default=None, description="Silence is acceptance after so many days; the platform's default when absent."
    )
    retention_days: Days | None = Field(
        default=None, description="Days from the last acceptance to the retention; the default when absent."
    )


class CommandBody(Body):
    """A party's command to an order. `by` has consented to exactly this; the platform vouches for it."""

    request_no: RequestNumber
    by: Number = Field(description="Member in whose name the command is given.", examples=["O-1"])
    note: Line = Field(
        default="",
        max_length=500,
        description="For the operators; no personal data. Not part of what a repeat is compared by.",
    )


class ConsentBody(CommandBody):
    """A consent to a command that will reach the order in another way."""

    operation: OrderCommand
    milestone: int | None = Field(default=None, ge=1, description=f"For {_ABOUT_ONE}.")

    @model_validator(mode="after")
    def _names_a_milestone_where_needed(self) -> "ConsentBody":
        if concerns_milestone(self.operation) != (self.milestone is not None):
            raise ValueError(f"`milestone` is needed for {_ABOUT_ONE}, and for nothing else")
        return self


class MilestoneView(View):
    """Where one milestone stands."""

    number: int
    name: str
    kind: MilestoneKind
    amount_fen: BalanceFen
    status: MilestoneStatus
    round: int = Field(description="How often it was reported complete.")
    inspection_due_at: Time | None = Field(description="Silence is acceptance at this moment.")
    accepted_by: str = Field(description="Member who accepted, `silence`, `end of warranty`, or empty.")
    commission_fen: BalanceFen


class OrderView(View):
    """An order as the ledger has it. `paid = released + commission + refunded + held`."""

    order_no: str
    status: OrderStatus
    owner_no: str
    contractor_no: str
    total_fen: BalanceFen
    milestones: list[MilestoneView]
    paid_fen: BalanceFen
    released_fen: BalanceFen = Field(description="Net of commission.")
    commission_fen: BalanceFen
    refunded_fen: BalanceFen
    held_fen: BalanceFen = Field(description="In escrow now.")
    withdraw_automatically: bool
    step_due_at: Time | None = Field(description="Deadline of what the order waits for.")
    possible_now: list[str] = Field(description="Commands that the order would take now.", examples=[["pay", "cancel"]])
    needs_attention: str = Field(description="Why an operator is asked for; empty when none is.")
    sequence_no: int = Field(description="Number of the order's last event.")
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["order/HOME/D-1001"])


class OrderPage(View):
    """Orders in the order of their numbers."""

    orders: list[OrderView]


class CommandAnswer(View):
    """A command that took effect. `result` is the same at every repeat; `order` is the order as it is now."""

    result: dict[str, Any] = Field(
        description="What the command did, amounts in fen.",
        examples=[{"request_no": "R-7", "operation": "accept", "order_status": "in_progress", "milestone": 2}],
    )
    order: OrderView


class ConsentView(View):
    """A recorded consent."""

    consent_no: str
    order_no: str
    operation: OrderCommand
    by: str
    terms: dict[str, Any] = Field(description="What exactly was consented to.")
    operation_hash: str
    recorded_at: Time
    expires_at: Time
