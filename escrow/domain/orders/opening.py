"""From what a platform sends to the contract of an order, under the configuration in force when it sent it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from escrow.domain.decisions import Decision, Facts, NotInBooks, ObjectKind, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission
from escrow.domain.money.journal import Basis
from escrow.domain.orders.commands import Open
from escrow.domain.orders.contract import MilestoneTerms, OrderContract, OrderPeriods
from escrow.domain.orders.milestones import MilestoneKind, Stage, decoration_stages, plan
from escrow.domain.orders.order import Order
from escrow.domain.orders.payment import require_parties
from escrow.domain.orders.state import OrderState
from escrow.domain.platforms.config import BusinessModel, PlatformConfig, Settlement
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_business_model, require_function, require_limit
from escrow.domain.requests import PLATFORM_ITSELF, derived


class MilestoneLine(BaseModel):
    """One line of the contract as it was sent: an amount, or a share of the total."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: MilestoneKind
    amount_fen: int | None = None
    share: str | None = None

    def stage(self) -> Stage:
        """The line as a plan is cut from it."""
        return Stage(name=self.name, kind=self.kind, amount_fen=self.amount_fen, share=self.share)


class OpeningTerms(BaseModel):
    """A decoration contract as signed, in the platform's words; None where its usual holds."""

    model_config = ConfigDict(frozen=True)

    order_no: str
    owner_no: str
    contractor_no: str | None = None
    total_fen: int
    milestones: tuple[MilestoneLine, ...] | None = None
    withdraw_automatically: bool = False
    inspection_days: int | None = None
    retention_days: int | None = None


def contract_of(terms: OpeningTerms, *, platform_no: str, config: PlatformConfig, config_version: int) -> OrderContract:
    """The contract under a configuration.

    Raises:
        Refused: `member_unknown`, `business_model_forbids`, `limit_exceeded`, `milestone_plan`, `ratio_invalid` or
            `function_off`.
    """
    require_function(config, Function.GUARANTEED_PAYMENT)
    contractor_no = _contractor_no(terms, config)
    if terms.owner_no == contractor_no:
        raise Refused("member_unknown", "Owner and contractor are the same member; an order needs two parties.")
    _require_automatic_withdrawal_possible(terms, contractor_no, config)
    require_limit(config.limits.payment_fen, terms.total_fen, name="limits.payment_fen")
    stages = decoration_stages() if terms.milestones is None else tuple(line.stage() for line in terms.milestones)
    milestones = plan(total_fen=terms.total_fen, stages=stages).milestones
    if terms.withdraw_automatically:
        # What the order pays out by itself must fit too, or it could not.
        highest_fen = max(line.amount_fen for line in milestones)
        require_limit(config.limits.withdrawal_fen, highest_fen, name="limits.withdrawal_fen")
    return OrderContract(
        platform_no=platform_no,
        order_no=terms.order_no,
        owner_no=terms.owner_no,
        contractor_no=contractor_no,
        total_fen=terms.total_fen,
        milestones=tuple(
            MilestoneTerms(number=line.no, name=line.name, kind=line.kind, amount_fen=line.amount_fen)
            for line in milestones
        ),
        commission_basis_points=config.commission_basis_points,
        release_settlement=config.release_settlement.value,
        withdraw_automatically=terms.withdraw_automatically,
        periods=_periods(terms, config),
        routing_objective=config.routing_objective.value,
        withdrawal_fee_fen=config.withdrawal_fee_fen,
        large_withdrawal_sms_above_fen=config.large_withdrawal_sms_threshold_fen,
        payee_is_platform=config.business_model is BusinessModel.SELF_OPERATED,
        config_version=config_version,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnopenedOrder(NotInBooks):
    """An order that does not stand in the books yet."""

    platform_no: str
    order_no: str

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple[Order, Decision]:
        """Open it; every other command finds no order.

        Args:
            at: the books' time.

        Raises:
            Refused: `not_found`, `basis_missing`, or what the platform's configuration forbids.
        """
        if not isinstance(command, Open):
            raise Refused("not_found", f"There is no order {self.order_no}.")
        consent = facts.required_consent(command.consent_no or "")
        assert facts.config is not None and facts.config_version is not None  # noqa: S101, PT018 - declared
        terms = OpeningTerms.model_validate(consent.terms)
        if terms.order_no != self.order_no:
            raise Refused("basis_mismatch", f"The consent {consent.consent_no} is about another order.")
        contract = contract_of(
            terms,
            platform_no=self.platform_no,
            config=facts.config,
            config_version=facts.config_version,
        )
        require_business_model(
            facts.config,
            payee_is_platform=contract.payee_is_platform,
            commission_basis_points=contract.commission_basis_points,
        )
        members = require_parties(contract, facts, also=Permission.CONTRACT)
        state = OrderState.at_signing(contract).model_copy(
            update={"step_due_at": at + contract.periods.payment_deadline}
        )
        opened = Order(contract=contract, state=state, version=1)
        basis = Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)
        return opened, Decision(
            request_no=derived(self.order_no, "open"),
            event_type="order.opened",
            event=opened.document(),
            answer={"order_status": opened.status},
            bases=(basis,),
            deadlines=opened.clocks_from(None),
            has_read=members,
        )


def restored(stored: Stored) -> Order | UnopenedOrder:
    """The order as the books have it, or as it is before it stands there."""
    if stored.version == 0:
        return UnopenedOrder(platform_no=stored.platform_no, order_no=stored.object_no)
    return Order.of_document(stored)


ORDERS = ObjectKind(name="order", of=Order, restored=restored)


def _require_automatic_withdrawal_possible(terms: OpeningTerms, contractor_no: str, config: PlatformConfig) -> None:
    if not terms.withdraw_automatically:
        return
    if not config.auto_withdraw_allowed:
        raise Refused("function_off", "This platform's orders do not withdraw by themselves.")
    if contractor_no == PLATFORM_ITSELF:
        raise Refused(
            "business_model_forbids",
            "An order does not withdraw the platform's own money: your contact person authorises each withdrawal.",
        )
    if config.release_settlement is Settlement.T_PLUS_1:
        raise Refused("function_off", "Released money waits until its day is closed (T+1): it is withdrawn by request.")


def _contractor_no(terms: OpeningTerms, config: PlatformConfig) -> str:
    if config.business_model is BusinessModel.SELF_OPERATED:
        if terms.contractor_no is not None:
            raise Refused(
                "business_model_forbids",
                "A self-operated platform is the payee of its orders itself: leave the contractor out.",
            )
        return PLATFORM_ITSELF
    if terms.contractor_no == PLATFORM_ITSELF:
        raise Refused(
            "business_model_forbids", "On a marketplace the platform is never the payee; it takes commission only."
        )
    if terms.contractor_no is None:
        raise Refused("member_unknown", "On a marketplace an order names its contractor.")
    return terms.contractor_no


def _periods(terms: OpeningTerms, config: PlatformConfig) -> OrderPeriods:
    inspection_days = config.inspection_days if terms.inspection_days is None else terms.inspection_days
    retention_days = config.retention_days if terms.retention_days is None else terms.retention_days
    return OrderPeriods(
        payment_deadline=timedelta(hours=config.payment_deadline_hours),
        start_deadline=timedelta(days=config.start_deadline_days),
        stage_deadline=timedelta(days=config.stage_deadline_days),
        rectification_deadline=timedelta(days=config.rectification_deadline_days),
        inspection_period=timedelta(days=inspection_days),
        # A contract may have a shorter inspection period than the platform's reminder was made for.
        reminder_before_end=min(timedelta(hours=config.reminder_hours), timedelta(days=inspection_days) / 2),
        retention_period=timedelta(days=retention_days),
        cancel_proposal_validity=timedelta(days=config.cancel_proposal_days),
    )
