"""From what a platform sends to the contract that an order is started with."""

from datetime import timedelta

from api.orders.bodies import OrderOpening
from escrow.domain.errors import Refused
from escrow.domain.members.states import Permission, require_may
from escrow.domain.orders.milestones import decoration_stages, plan
from escrow.domain.platforms.config import BusinessModel, PlatformConfig, Settlement
from escrow.domain.platforms.rules import require_limit
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.registry import Registry
from workflows.messages import MilestoneTerms, OrderContract, OrderPeriods


async def contract_of_opening(registry: Registry, platform_no: str, opening: OrderOpening) -> OrderContract:
    """The contract under the platform's configuration of this moment.

    Raises:
        Refused: `member_unknown`, `member_state`, `business_model_forbids`, `limit_exceeded`, `milestone_plan`,
            `ratio_invalid` or `function_off`.
    """
    platform = await registry.platforms.get(platform_no)
    config = platform.config
    contractor_no = _contractor_no(opening, config)
    await _require_parties(registry, platform_no, owner_no=opening.owner_no, contractor_no=contractor_no)
    if opening.owner_no == contractor_no:
        raise Refused("member_unknown", "Owner and contractor are the same member; an order needs two parties.")
    if opening.withdraw_automatically and not config.auto_withdraw_allowed:
        raise Refused("function_off", "This platform's orders do not withdraw by themselves.")
    if opening.withdraw_automatically and contractor_no == PLATFORM_ITSELF:
        raise Refused(
            "business_model_forbids",
            "An order does not withdraw the platform's own money: your contact person authorises each withdrawal.",
        )
    require_limit(config.limits.payment_fen, opening.total_fen, name="limits.payment_fen")
    if opening.withdraw_automatically and config.release_settlement is Settlement.T_PLUS_1:
        raise Refused("function_off", "Released money waits until its day is closed (T+1): it is withdrawn by request.")
    lines = opening.milestones
    stages = decoration_stages() if lines is None else tuple(line.stage() for line in lines)
    milestones = plan(total_fen=opening.total_fen, stages=stages).milestones
    if opening.withdraw_automatically:
        # What the order pays out by itself must fit too, or it could not.
        highest_fen = max(line.amount_fen for line in milestones)
        require_limit(config.limits.withdrawal_fen, highest_fen, name="limits.withdrawal_fen")
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
        payee_is_platform=config.business_model is BusinessModel.SELF_OPERATED,
        config_version=platform.config_version,
    )


def _contractor_no(opening: OrderOpening, config: PlatformConfig) -> str:
    if config.business_model is BusinessModel.SELF_OPERATED:
        if opening.contractor_no is not None:
            raise Refused(
                "business_model_forbids",
                "A self-operated platform is the payee of its orders itself: leave the contractor out.",
            )
        return PLATFORM_ITSELF
    if opening.contractor_no == PLATFORM_ITSELF:
        raise Refused(
            "business_model_forbids", "On a marketplace the platform is never the payee; it takes commission only."
        )
    if opening.contractor_no is None:
        raise Refused("member_unknown", "On a marketplace an order names its contractor.")
    return opening.contractor_no


async def _require_parties(registry: Registry, platform_no: str, *, owner_no: str, contractor_no: str) -> None:
    """Both may make a contract, the owner may pay, the contractor receive; the platform itself is no owner."""
    permissions = {
        owner_no: Permission.PAY,
        **({contractor_no: Permission.RECEIVE} if contractor_no != PLATFORM_ITSELF else {}),
    }
    statuses = await registry.members.statuses(platform_no, *permissions)
    for member_no, permission in permissions.items():
        require_may(statuses[member_no], Permission.CONTRACT, member_no=member_no)
        require_may(statuses[member_no], permission, member_no=member_no)


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
