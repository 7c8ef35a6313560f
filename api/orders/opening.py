"""From a contract to an order that stands in the books: recorded as asked, then opened by the order's process."""

from api.dependencies import Services
from api.orders.bodies import OrderOpening
from api.problems import OrderBusy
from api.waiting import until
from escrow.domain.decisions import Stored
from escrow.domain.orders.commands import Open
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.orders.opening import ORDERS, OpeningTerms, contract_of
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.ledger.books import hear
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, record_consent


async def open_order(
    services: Services, platform_no: str, body: OrderOpening, *, remote_address: str | None
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
        services.recorder,
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
