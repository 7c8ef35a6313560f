"""The codes of quick payments, typed on the cashier page or relayed by the platform: sent again, and compared."""

from collections.abc import Awaitable, Callable

from api.dependencies import Services
from api.problems import OrderBusy
from api.temporal_calls import brought
from api.waiting import until
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import CollectionStatus, sends_none
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.ledger.objects import BusinessObject, get_object

_CODE_WAS_RIGHT = (CollectionStatus.PROCESSING, CollectionStatus.PAID)


async def send_again(services: Services, collection: BusinessObject, request_no: str) -> None:
    """Have the bank send the payer another code, once for a request.

    Raises:
        Refused: `code_not_awaited`, `sms_code_limit` or `request_no_reused`.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: nobody answers.
    """
    platform_no, pay_in_no = collection.platform_no, collection.object_no
    codes = services.registry.collection_codes
    await codes.count_sending(platform_no, pay_in_no, request_no, is_awaited=awaits_code(collection))
    if _was_sent(collection, request_no):
        return
    await _brought(services, collection, lambda: services.processes.send_payer_code(platform_no, pay_in_no, request_no))
    now = await known_collection(services, platform_no, pay_in_no)
    if _was_sent(now, request_no):
        return
    if declined := await codes.declined(platform_no, pay_in_no, request_no):
        raise sends_none(declined)
    raise _unheard(now)


async def compare(services: Services, collection: BusinessObject, request_no: str, code: str) -> CodeCheck:
    """Try a code, counted before the bank is asked; a request that was compared before is answered so again.

    Raises:
        Refused: `code_not_awaited`, `code_tries_spent` or `request_no_reused`.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: nobody answers.
    """
    platform_no, pay_in_no = collection.platform_no, collection.object_no
    codes = services.registry.collection_codes
    number = await codes.count_try(platform_no, pay_in_no, request_no, code, is_awaited=awaits_code(collection))
    outcome = (await codes.tries.typed(platform_no, pay_in_no, number)).outcome
    if outcome is None:
        await _brought(
            services, collection, lambda: services.processes.compare_payer_code(platform_no, pay_in_no, number)
        )
        outcome = (await codes.tries.typed(platform_no, pay_in_no, number)).outcome
    if outcome is None:
        now = await known_collection(services, platform_no, pay_in_no)
        if now.status not in _CODE_WAS_RIGHT:
            raise _unheard(now)
        # Its answer was lost, and the payment went on: as the bank answers whatever is typed by then.
        return CodeCheck.ACCEPTED
    if outcome in (CodeCheck.ACCEPTED, CodeCheck.EXHAUSTED):
        await until(
            services, lambda: known_collection(services, platform_no, pay_in_no), lambda found: not awaits_code(found)
        )
    return outcome


def awaits_code(collection: BusinessObject) -> bool:
    """Whether a quick payment waits for its payer's code."""
    return collection.status == CollectionStatus.AWAITING_PAYER and collection.body["method"] == CollectionMethod.QUICK


def _was_sent(collection: BusinessObject, request_no: str) -> bool:
    return request_no in collection.body.get("codes_sent", ())


async def _brought(services: Services, collection: BusinessObject, call: Callable[[], Awaitable[None]]) -> None:
    """Call the process of a payment; one that was ended while its payer's code is awaited is begun again."""

    async def begin() -> bool:
        now = await known_collection(services, collection.platform_no, collection.object_no)
        if awaits_code(now):
            await services.processes.start_collection(
                now.platform_no,
                now.object_no,
                member_no=now.body["member_no"],
                amount_fen=now.body["amount_fen"],
                method=CollectionMethod.QUICK,
            )
        return awaits_code(now)

    await brought(call, begin)


def _unheard(collection: BusinessObject) -> EscrowError:
    """What is answered where the books do not know what became of something."""
    if awaits_code(collection):
        return OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")
    return Refused("code_not_awaited", "The payment waits for no code.")


async def known_collection(services: Services, platform_no: str, pay_in_no: str) -> BusinessObject:
    """What is collected under a number.

    Raises:
        Refused: `not_found`.
    """
    collection = await get_object(services.reader, platform_no, "pay_in", pay_in_no)
    if collection is None:
        raise Refused("not_found", "There is no such payment.")
    return collection
