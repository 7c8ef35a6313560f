"""From what a platform sends to the contract that an order is started with."""

from datetime import timedelta

from api.order_bodies import OrderOpening
from escrow.domain.errors import Refused
from escrow.domain.milestones import decoration_stages, plan
from escrow.domain.platform_config import BusinessModel, PlatformConfig, Settlement
from escrow.ledger.members import PLATFORM_ITSELF
from escrow.ledger.registry import Registry
from workflows.messages import MilestoneTerms, OrderContract, OrderPeriods


async def contract_of_opening(registry: Registry, platform_no: str, opening: OrderOpening) -> OrderContract:
    """The contract under the platform's configuration of this moment.

    Raises:
        Refused: `member_unknown`, `milestone_plan`, `ratio_invalid` or `function_off`.
    """
    platform = await registry.platforms.get(platform_no)
    config = platform.config
    contractor_no = _contractor_no(opening, config)
    self_operated = config.business_model is BusinessModel.SELF_OPERATED
    for member_no in (opening.owner_no,) if self_operated else (opening.owner_no, contractor_no):
        await _require_member(registry, platform_no, member_no)
    if opening.owner_no == contractor_no:
        raise Refused("member_unknown", "Owner and contractor are the same member; an order needs two parties.")
    if opening.withdraw_automatically and not config.auto_withdraw_allowed:
        raise Refused("function_off", "This platform's orders do not withdraw by themselves.")
    if opening.withdraw_automatically and config.release_settlement is Settlement.T_PLUS_1:
        raise Refused("function_off", "Released money waits until its day is closed (T+1): it is withdrawn by request.")
    lines = opening.milestones
    stages = decoration_stages() if lines is None else tuple(line.stage() for line in lines)
    milestones = plan(total_fen=opening.total_fen, stages=stages).milestones
    return OrderContract(
        platform_no=platform_no,
        order_no=opening.order_no,
        owner_no=opening.owner_no,
        contractor_no=contractor_no,
        total_fen=opening.total_fen,
        milestones=tuple(
            MilestoneTerms(number=line.no, name=line.name, kind=line.kind, amount_fen=line.amount_fen)
            for line in milestones
        ),
        commission_basis_points=config.commission_basis_points,
        release_settlement=config.release_settlement.value,
        withdraw_automatically=opening.withdraw_automatically,
        periods=_periods(opening, config),
        routing_objective=config.routing_objective.value,
        withdrawal_fee_fen=config.withdrawal_fee_fen,
        large_withdrawal_sms_above_fen=config.large_withdrawal_sms_threshold_fen,
        payee_is_platform=self_operated,
        config_version=platform.config_version,
    )


def _contractor_no(opening: OrderOpening, config: PlatformConfig) -> str:
    if config.business_model is BusinessModel.SELF_OPERATED:
        if opening.contractor_no is not None:
            raise Refused("member_unknown", "A self-operated platform is the contractor itself: leave the field out.")
        return PLATFORM_ITSELF
    if opening.contractor_no is None:
        raise Refused("member_unknown", "On a marketplace an order names its contractor.")
    return opening.contractor_no


async def _require_member(registry: Registry, platform_no: str, member_no: str) -> None:
    try:
        await registry.members.get(platform_no, member_no)
    except Refused as refusal:
        raise Refused("member_unknown", refusal.message, {"member_no": member_no}) from refusal


def _periods(opening: OrderOpening, config: PlatformConfig) -> OrderPeriods:
    inspection_days = config.inspection_days if opening.inspection_days is None else opening.inspection_days
    retention_days = config.retention_days if opening.retention_days is None else opening.retention_days
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
