"""A party's command to an order: recorded as asked, given to the order's process, answered by the books.

Nothing that Temporal says is believed: whatever becomes of the call, the books know what became of the command. A
process that does not run is started, and finds what was asked. A call that died in the middle is simply made again.
"""

import uuid

from api.dependencies import Services
from api.member_consents import consent_of
from api.problems import OrderBusy
from api.temporal_calls import WorkflowEnded
from api.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.operations.orders import CommandOrder
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.ledger.books import Heard, hear
from escrow.ledger.consents import CONSENT_VALIDITY, Consent, NewConsent
from workflows.messages import PartyMessage


async def consent_to(
    services: Services,
    platform_no: str,
    contract: OrderContract,
    operation: CommandOrder,
    *,
    remote_address: str | None,
    is_command: bool,
) -> tuple[Consent, bool]:
    """Record that a party consents to a command, or find that it did; the flag says whether it is new.

    What the platform may command is decided by the configuration that the order was opened under.

    Args:
        is_command: whether the order is to take it up now, so that the member may also be asked on a hosted page where
            the configuration wants that; else it is evidence for a signal that will quote it.

    Raises:
        AwaitsMember: the member was asked.
        Refused: `request_no_reused`, `milestone_unknown`, `function_off`, or as `consent_of`.
    """
    call, configurations = operation.command, services.registry.platforms.configurations
    config = (await configurations.version(platform_no, contract.config_version)).config
    if call.operation is OrderCommand.PAY:
        require_function(config, Function.BALANCE_PAYMENT)
    validity = CONSENT_VALIDITY
    if call.operation is OrderCommand.CANCEL:
        validity += contract.periods.cancel_proposal_validity  # it is used when the other side agrees
    return await consent_of(
        services,
        NewConsent(
            platform_no=platform_no,
            consent_no=call.request_no,
            object_kind="order",
            object_no=contract.order_no,
            operation=call.operation.value,
            given_by=call.by,
            terms=contract.terms(call.operation, call.milestone),
            valid_for=validity,
            remote_address=remote_address,
            asked=is_command,
            note=call.note,
        ),
        config,
        operation.authorised_as,
        carry_out=operation.carry_out() if is_command else None,
    )


async def give(
    services: Services, platform_no: str, operation: CommandOrder, *, remote_address: str | None
) -> Heard[Order]:
    """Give an order a command and hear what it did; the same command again is answered as the first time.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    order_no, call = operation.order_no, operation.command
    heard = await hear(services.reader, ORDERS, platform_no, order_no, call)
    if heard.object is None:
        raise Refused("not_found", f"There is no order {order_no}.")
    order = heard.object
    order.contract.terms(call.operation, call.milestone)
    if not heard.is_recorded:
        order.require_possible(call)  # a word that comes at the wrong time leaves no trace
    consent, _ = await consent_to(
        services, platform_no, order.contract, operation, remote_address=remote_address, is_command=True
    )
    if heard.answer is None and (heard.refusal is None or consent.voided_at is None):
        heard = await _taken_to_order(services, platform_no, order, call)
    if heard.refusal is not None:
        raise heard.refusal
    return heard


async def _taken_to_order(services: Services, platform_no: str, order: Order, call: PartyCommand) -> Heard[Order]:
    """What the books say once the order's process has had the command; one that does not run is started.

    Raises:
        OrderBusy: no answer in time.
        TemporalUnavailable: nobody answers.
    """
    contract, order_no = order.contract, order.contract.order_no
    message = PartyMessage(
        request_no=call.request_no, by=call.by, milestone=call.milestone, note=call.note, seen_version=order.version
    )
    attempt = f"{call.request_no}-{uuid.uuid4()}"
    try:
        await services.processes.command_order(platform_no, order_no, call.operation.value, message, update_id=attempt)
    except WorkflowEnded:
        # It may have ended by this very command, given by an earlier call that is not answered yet.
        if (await hear(services.reader, ORDERS, platform_no, order_no, call)).is_open:
            await services.processes.start_order(
                platform_no,
                order_no,
                owner_no=contract.owner_no,
                contractor_no=contract.contractor_no,
                total_fen=contract.total_fen,
            )
    heard = await until(
        services,
        lambda: hear(services.reader, ORDERS, platform_no, order_no, call),
        lambda found: not found.is_open,
    )
    if heard.is_open:
        raise OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")
    return heard
