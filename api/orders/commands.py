"""From a caller's command to the answer: recorded as asked, given to the order's process, answered by the books.

Nothing that Temporal says is believed: whatever becomes of the call, the books know what became of the command. A
process that does not run is started, and finds what was asked. A call that died in the middle is simply made again.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from api.dependencies import Services
from api.member_consents import consent_of
from api.orders.bodies import CommandAnswer, OrderOpening
from api.orders.views import order_view
from api.problems import OrderBusy
from api.temporal_calls import WorkflowEnded
from api.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.contract import OrderContract, opening_consent_no
from escrow.domain.orders.opening import ORDERS, OpeningTerms, contract_of
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import OrderCommand
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.ledger.books import known
from escrow.ledger.consents import (
    CONSENT_VALIDITY,
    Answered,
    Consent,
    NewConsent,
    answer_of,
    get_consent,
    record_consent,
)
from escrow.ledger.objects import BusinessObject, get_object, known_object
from workflows.messages import PartyMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCall:
    """A party's command to an order, as a caller gives it; `milestone` for `complete`, `accept` and `rectify`."""

    operation: OrderCommand
    request_no: str
    by: str
    milestone: int | None
    note: str

    def as_command(self) -> PartyCommand:
        """The command that the books are given."""
        return PartyCommand(
            operation=self.operation, request_no=self.request_no, by=self.by, milestone=self.milestone, note=self.note
        )


async def open_order(
    services: Services, platform_no: str, body: OrderOpening, *, remote_address: str
) -> tuple[BusinessObject, bool]:
    """Record the contract and have it opened; the flag says whether this number is new.

    Raises:
        Refused: `request_no_reused`, or a rule says no to the contract.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    current = await services.registry.platforms.configurations.current(platform_no)
    number, content = opening_consent_no(body.order_no), body.model_dump(mode="json")
    if await get_consent(services.reader, platform_no, number) is None:
        # What can be seen to be wrong leaves no trace; what the books know besides they say when it is opened.
        contract_of(
            OpeningTerms.model_validate(content),
            platform_no=platform_no,
            config=current.config,
            config_version=current.version,
        )
    consent, is_new = await record_consent(
        services.reader,
        NewConsent(
            platform_no=platform_no,
            consent_no=number,
            object_kind="order",
            object_no=body.order_no,
            operation="open",
            given_by=PLATFORM_ITSELF,
            terms=content,
            valid_for=CONSENT_VALIDITY,
            remote_address=remote_address,
            asked=True,
            config_version=current.version,
        ),
    )
    order = None if is_new else await get_object(services.reader, platform_no, "order", body.order_no)
    if order is None:
        await services.processes.start_order(
            platform_no,
            body.order_no,
            owner_no=body.owner_no,
            contractor_no=body.contractor_no or PLATFORM_ITSELF,
            total_fen=body.total_fen,
        )
        order = await _opened(services, platform_no, body.order_no, consent)
    return order, is_new


async def _opened(services: Services, platform_no: str, order_no: str, consent: Consent) -> BusinessObject:
    """The order once it stands in the books.

    Raises:
        Refused: the books say no to it.
        OrderBusy: not within the time that a command may take.
    """

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(services.reader, platform_no, "order", order_no)
        return found or (await answer_of(services.reader, platform_no, consent.consent_no)).refusal

    found = await until(services, look, lambda seen: seen is not None)
    if isinstance(found, Refused):
        raise found
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    return found


async def consent_to(
    services: Services,
    platform_no: str,
    contract: OrderContract,
    call: OrderCall,
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
    services: Services, platform_no: str, order_no: str, call: OrderCall, *, remote_address: str
) -> CommandAnswer:
    """Give an order a command and answer what it did; the same command again is answered as the first time.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    order = await known(services.reader, ORDERS, platform_no, order_no)
    order.contract.terms(call.operation, call.milestone)
    if await get_consent(services.reader, platform_no, call.request_no) is None:
        order.require_possible(call.as_command())  # a word that comes at the wrong time leaves no trace
    await consent_to(services, platform_no, order.contract, call, remote_address=remote_address, is_command=True)
    answered = await _answered(services, platform_no, order_no, call)
    if answered.answer is None and answered.refusal is None:
        answered = await _answer_of_order(services, platform_no, order, call)
    if answered.refusal is not None:
        raise answered.refusal
    now = await known_object(services.reader, platform_no, "order", order_no)
    return CommandAnswer(result=_told(answered, call, now), order=order_view(now))


async def _answer_of_order(services: Services, platform_no: str, order: Order, call: OrderCall) -> Answered:
    """What the books say once the order's process has had the command; one that does not run is started.

    Raises:
        OrderBusy: no answer in time.
        TemporalUnavailable: nobody answers.
    """
    order_no = order.contract.order_no
    message = PartyMessage(
        request_no=call.request_no,
        by=call.by,
        milestone=call.milestone,
        note=call.note,
        seen_version=order.version,
    )
    attempt = f"{call.request_no}-{uuid.uuid4()}"
    try:
        await services.processes.command_order(platform_no, order_no, call.operation.value, message, update_id=attempt)
    except WorkflowEnded:
        contract = order.contract
        await services.processes.start_order(
            platform_no,
            order_no,
            owner_no=contract.owner_no,
            contractor_no=contract.contractor_no,
            total_fen=contract.total_fen,
        )
    except Refused:
        pass  # the books say why, or that it is not so
    answered = await until(
        services,
        lambda: _answered(services, platform_no, order_no, call),
        lambda found: found.answer is not None or found.refusal is not None,
    )
    if answered.answer is None and answered.refusal is None:
        raise OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")
    return answered


async def _answered(services: Services, platform_no: str, order_no: str, call: OrderCall) -> Answered:
    own_no = call.as_command().own_no(order_no)
    return await answer_of(services.reader, platform_no, call.request_no, own_no=own_no)


def _told(answered: Answered, call: OrderCall, order: BusinessObject) -> dict[str, Any]:
    """What the caller is told; of a command that was carried out when answers were not kept, what is known of it."""
    if answered.answer:
        return dict(answered.answer)
    return {
        "request_no": call.request_no,
        "operation": call.operation.value,
        "order_status": order.status,
        "milestone": call.milestone,
    }
