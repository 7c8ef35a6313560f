"""From a caller's command to the order's answer: consent first, then the workflow, then what the ledger says.

A consent's outcome is kept, so a repeated call is answered as the first time even when the workflow has ended and
been forgotten. Keeping it does not hold up the answer: until it is kept, Temporal and the ledger know the outcome.
A call whose API process died in the middle is simply made again: the consent is there, the update has the same id,
and the order knows which requests it has answered.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from api.dependencies import Services
from api.member_consents import consent_of
from api.orders.bodies import CommandAnswer
from api.orders.views import contract_of, order_view, terms_of
from api.problems import OrderBusy, TemporalUnavailable
from api.temporal_calls import WorkflowEnded
from api.waiting import until, wait_until_recorded
from escrow.domain.errors import Refused
from escrow.domain.orders.states import OrderCommand, OrderStatus
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import derived
from escrow.ledger.consents import Consent, NewConsent, get_consent, record_consent, store_outcome, void_consent
from escrow.ledger.objects import BusinessObject, get_object
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.platforms.limits import use_of_day
from workflows import messages

#: A consent that nothing stood on until then is void; a caller repeats within minutes.
CONSENT_VALIDITY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A party's command to an order; `milestone` for `complete`, `accept` and `rectify`."""

    operation: OrderCommand
    request_no: str
    by: str
    milestone: int | None
    note: str


async def known_order(services: Services, platform_no: str, order_no: str) -> BusinessObject:
    """The order as the ledger has it.

    Raises:
        Refused: `not_found`.
    """
    order = await get_object(services.reader, platform_no, "order", order_no)
    if order is None:
        raise Refused("not_found", f"There is no order {order_no}.")
    return order


async def open_order(
    services: Services, contract: messages.OrderContract, *, content: dict[str, Any], remote_address: str
) -> tuple[BusinessObject, bool]:
    """Start an order and wait until it stands in the books; the flag says whether this number is new.

    Args:
        content: what the platform sent: the platform consents to exactly this, and a repeat is known by it.

    Raises:
        Refused: `request_no_reused`; `object_exists` when somebody else's contract stands under this number.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    consent, is_new = await record_consent(
        services.reader,
        NewConsent(
            platform_no=contract.platform_no,
            consent_no=derived("", "order", contract.order_no, "open"),
            object_kind="order",
            object_no=contract.order_no,
            operation="open",
            given_by=PLATFORM_ITSELF,
            terms=content,
            valid_for=CONSENT_VALIDITY,
            remote_address=remote_address,
        ),
    )
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    order = None if is_new else await get_object(services.reader, contract.platform_no, "order", contract.order_no)
    if order is None:
        await services.processes.start_order(contract)
        order = await wait_until_recorded(services, contract.platform_no, "order", contract.order_no)
        if contract_of(order) != contract:  # it ran already: started by somebody who can write to Temporal
            refusal = Refused(
                "object_exists", f"Another contract stands under {contract.order_no}; use another number."
            )
            await keep_refusal(services, contract.platform_no, consent.consent_no, refusal)
            raise refusal
    return order, is_new


async def consent_to(
    services: Services, order: BusinessObject, command: Command, *, remote_address: str, may_wait: bool = False
) -> tuple[Consent, bool]:
    """Record that a party consents to a command, or find that it did; the flag says whether it is new.

    What the platform may command is decided by the configuration that the order was opened under.

    Args:
        may_wait: whether the member may be asked on a hosted page, where the configuration wants that.

    Raises:
        AwaitsMember: the member was asked.
        Refused: `request_no_reused`, `milestone_unknown`, `function_off`, `limit_exceeded`, or as `consent_of`.
    """
    contract = contract_of(order)
    configurations = services.registry.platforms.configurations
    config = (await configurations.version(order.platform_no, contract.config_version)).config
    if command.operation is OrderCommand.PAY:
        require_function(config, Function.BALANCE_PAYMENT)
    validity = CONSENT_VALIDITY
    if command.operation is OrderCommand.CANCEL:
        validity += contract.periods.cancel_proposal_validity  # it is used when the other side agrees
    recorded = await consent_of(
        services,
        NewConsent(
            platform_no=order.platform_no,
            consent_no=command.request_no,
            object_kind="order",
            object_no=order.object_no,
            operation=command.operation.value,
            given_by=command.by,
            terms=terms_of(contract, command.operation, command.milestone),
            valid_for=validity,
            remote_address=remote_address,
        ),
        config,
        AuthorisedOperation(command.operation.value),
        carry_out={"milestone": command.milestone, "note": command.note} if may_wait else None,
    )
    if command.operation is OrderCommand.PAY and recorded[0].outcome is None:
        try:
            await use_of_day(
                services.reader,
                platform_no=order.platform_no,
                member_no=contract.owner_no,
                kind="order",
                object_no=order.object_no,
                amount_fen=contract.total_fen,
                limit_fen=config.limits.payments_per_day_fen,
                name="limits.payments_per_day_fen",
            )
        except Refused as refusal:
            await keep_refusal(services, order.platform_no, command.request_no, refusal)
            raise
    return recorded


async def give(
    services: Services, platform_no: str, order_no: str, command: Command, *, remote_address: str
) -> CommandAnswer:
    """Give an order a command and answer what it did; the same command again is answered as the first time.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no, now or at the first time; the consent is void.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    order = await known_order(services, platform_no, order_no)
    consent, _ = await consent_to(services, order, command, remote_address=remote_address, may_wait=True)
    if consent.outcome is not None:
        return CommandAnswer(result=_told(consent.outcome), order=order_view(order))
    try:
        result = await _answer_of_order(services, order, command, consent)
    except Refused as refusal:
        if await keep_refusal(services, platform_no, command.request_no, refusal):
            raise
        result = await _what_became_of(services, order, command)
    except WorkflowEnded:
        result = await _what_became_of(services, order, command)
    told = result.model_dump(mode="json")
    services.background.run(store_outcome(services.reader, platform_no, command.request_no, {"result": told}))
    return CommandAnswer(result=told, order=order_view(await known_order(services, platform_no, order_no)))


async def _answer_of_order(
    services: Services, order: BusinessObject, command: Command, consent: Consent
) -> messages.CommandResult:
    """What the order says; one that has not heard yet that a batch has paid it is asked again.

    Raises:
        Refused, WorkflowEnded, TemporalUnavailable: as `command_order`.
        OrderBusy: no answer in time, or it has not heard in that time.
    """

    async def answer() -> messages.CommandResult | None:
        try:
            return await services.processes.command_order(
                order.platform_no,
                order.object_no,
                command.operation.value,
                messages.OrderCommand(
                    request_no=command.request_no, by=command.by, milestone=command.milestone, note=command.note
                ),
                update_id=f"{command.request_no}-{consent.operation_hash[:16]}",
            )
        except Refused as refusal:
            if not _has_not_heard(refusal, order):
                raise
            return None

    answered = await until(services, answer, lambda found: found is not None)
    if answered is None:
        raise OrderBusy("order_busy", "The order is just being paid; repeat the call.")
    return answered


def _has_not_heard(refusal: Refused, order: BusinessObject) -> bool:
    """Whether an order refused because it does not know yet that a batch has paid it, as the books do."""
    waits = OrderStatus.AWAITING_PAYMENT
    return refusal.code == "order_state" and refusal.details.get("status") == waits and order.status != waits


async def keep_refusal(services: Services, platform_no: str, consent_no: str, refusal: Refused) -> bool:
    """Void the consent of a refused request and keep the refusal as its answer; False when the consent was used."""
    outcome = {"refused": {"code": refusal.code, "message": refusal.message, "details": refusal.details}}
    return await void_consent(services.reader, platform_no, consent_no, outcome=outcome)


def raise_kept_refusal(outcome: dict[str, Any]) -> None:
    """Raise what was refused the first time, if it was."""
    if "refused" in outcome:
        kept = outcome["refused"]
        raise Refused(kept["code"], kept["message"], kept["details"])


def _told(outcome: dict[str, Any]) -> dict[str, Any]:
    raise_kept_refusal(outcome)
    result: dict[str, Any] = outcome["result"]
    return result


async def _what_became_of(services: Services, order: BusinessObject, command: Command) -> messages.CommandResult:
    """What a command did to an order whose workflow has ended: the ledger knows whether its consent was used."""
    now = await known_order(services, order.platform_no, order.object_no)
    status = OrderStatus(now.status)
    consent = await get_consent(services.reader, order.platform_no, command.request_no)
    if consent is not None and consent.used_by is not None:
        return messages.CommandResult(
            request_no=command.request_no,
            operation=command.operation.value,
            order_status=status,
            milestone=command.milestone,
        )
    if not status.is_final:
        raise TemporalUnavailable("temporal_unavailable", "The order does not run; repeat the call, or ask operators.")
    refusal = Refused(
        "order_state",
        f"The order is {status} and has ended, so {command.operation} is not possible.",
        {"command": command.operation.value, "status": status.value, "possible": []},
    )
    await keep_refusal(services, order.platform_no, command.request_no, refusal)
    raise refusal
