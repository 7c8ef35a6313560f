"""From a caller's command to the answer: recorded as asked, given to the order's process, answered by the books.

Nothing that Temporal says is believed: whatever becomes of the call, the books know what became of the command. A
process that does not run is started, and finds what was asked. A call that died in the middle is simply made again.
"""

import uuid

from api.dependencies import Services
from api.member_consents import consent_of
from api.orders.bodies import CommandAnswer, OrderOpening
from api.orders.views import order_view
from api.problems import OrderBusy
from api.temporal_calls import WorkflowEnded
from api.waiting import until
from escrow.domain.decisions import Stored
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import Open, PartyCommand
from escrow.domain.orders.contract import OrderContract, opening_consent_no
from escrow.domain.orders.opening import ORDERS, OpeningTerms, contract_of
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.ledger.books import Heard, hear
from escrow.ledger.consents import (
    CONSENT_VALIDITY,
    Consent,
    NewConsent,
    record_consent,
)
from workflows.messages import PartyMessage


async def open_order(
    services: Services, platform_no: str, body: OrderOpening, *, remote_address: str
) -> tuple[Stored, bool]:
    """Record the contract and have it opened; the flag says whether this number is new.

    Raises:
        Refused: `request_no_reused`, or a rule says no to the contract.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    order_no, content = body.order_no, body.model_dump(mode="json")
    heard = await hear(services.reader, ORDERS, platform_no, order_no, Open(order_no=order_no))
    current = await services.registry.platforms.configurations.current(platform_no)
    if not heard.is_recorded:
        # What can be seen to be wrong leaves no trace; what the books know besides they say when it is opened.
        contract_of(
            OpeningTerms.model_validate(content),
            platform_no=platform_no,
            config=current.config,
            config_version=current.version,
        )
    _, is_new = await record_consent(
        services.reader,
        NewConsent(
            platform_no=platform_no,
            consent_no=opening_consent_no(order_no),
            object_kind="order",
            object_no=order_no,
            operation="open",
            given_by=PLATFORM_ITSELF,
            terms=content,
            valid_for=CONSENT_VALIDITY,
            remote_address=remote_address,
            asked=True,
            config_version=current.version,
        ),
    )
    if heard.object is not None:
        return heard.stored, False
    await services.processes.start_order(
        platform_no,
        order_no,
        owner_no=body.owner_no,
        contractor_no=body.contractor_no or PLATFORM_ITSELF,
        total_fen=body.total_fen,
    )
    return await _opened(services, platform_no, order_no), is_new


async def _opened(services: Services, platform_no: str, order_no: str) -> Stored:
    """The order once it stands in the books.

    Raises:
        Refused: the books say no to it.
        OrderBusy: not within the time that a command may take.
    """
    opening = Open(order_no=order_no)
    heard = await until(
        services,
        lambda: hear(services.reader, ORDERS, platform_no, order_no, opening),
        lambda seen: seen.object is not None or seen.refusal is not None,
    )
    if heard.object is None:
        raise heard.refusal or OrderBusy(
            "order_busy", "It is started but not entered in the books yet; repeat the call."
        )
    return heard.stored


async def consent_to(
    services: Services,
    platform_no: str,
    contract: OrderContract,
    call: PartyCommand,
    *,
    remote_address: str,
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
    configurations = services.registry.platforms.configurations
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
        AuthorisedOperation(call.operation.value),
        carry_out={"milestone": call.milestone, "note": call.note} if is_command else None,
    )


async def give(
    services: Services, platform_no: str, order_no: str, call: PartyCommand, *, remote_address: str
) -> CommandAnswer:
    """Give an order a command and answer what it did; the same command again is answered as the first time.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    heard = await hear(services.reader, ORDERS, platform_no, order_no, call)
    if heard.object is None:
        raise Refused("not_found", f"There is no order {order_no}.")
    order = heard.object
    order.contract.terms(call.operation, call.milestone)
    if not heard.is_recorded:
        order.require_possible(call)  # a word that comes at the wrong time leaves no trace
    consent, _ = await consent_to(
        services, platform_no, order.contract, call, remote_address=remote_address, is_command=True
    )
    if heard.answer is None and (heard.refusal is None or consent.voided_at is None):
        heard = await _taken_to_order(services, platform_no, order, call)
    if heard.refusal is not None:
        raise heard.refusal
    return CommandAnswer(result=dict(heard.answer or {}), order=order_view(heard.stored))


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
        await services.processes.start_order(
            platform_no,
            order_no,
            owner_no=contract.owner_no,
            contractor_no=contract.contractor_no,
            total_fen=contract.total_fen,
        )
    except Refused:
        pass  # the books say why, or that it is not so
    heard = await until(
        services,
        lambda: hear(services.reader, ORDERS, platform_no, order_no, call),
        lambda found: not found.is_open,
    )
    if heard.is_open:
        raise OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")
    return heard
