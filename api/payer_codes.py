"""The codes of quick payments, typed on the cashier page or relayed by the platform: sent again, and compared."""

from collections.abc import Awaitable, Callable

from api.dependencies import Services
from api.problems import OrderBusy
from api.temporal_calls import brought
from api.waiting import until
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.pay_ins import PayInStatus, sends_none
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.ledger.objects import BusinessObject, get_object

_CODE_WAS_RIGHT = (PayInStatus.PROCESSING, PayInStatus.PAID)


async def send_again(services: Services, pay_in: BusinessObject, request_no: str) -> None:
    """Have the bank send the payer another code, once for a request.

    Raises:
        Refused: `code_not_awaited`, `sms_code_limit` or `request_no_reused`.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: nobody answers.
    """
    platform_no, pay_in_no = pay_in.platform_no, pay_in.object_no
    codes = services.registry.pay_in_codes
    await codes.count_sending(platform_no, pay_in_no, request_no, is_awaited=awaits_code(pay_in))
    if _was_sent(pay_in, request_no):
        return
    await _brought(services, pay_in, lambda: services.processes.send_payer_code(platform_no, pay_in_no, request_no))
    now = await known_pay_in(services, platform_no, pay_in_no)
    if _was_sent(now, request_no):
        return
    if declined := await codes.declined(platform_no, pay_in_no, request_no):
        raise sends_none(declined)
    raise _unheard(now)


async def compare(services: Services, pay_in: BusinessObject, request_no: str, code: str) -> CodeCheck:
    """Try a code, counted before the bank is asked; a request that was compared before is answered so again.

    Raises:
        Refused: `code_not_awaited`, `code_tries_spent` or `request_no_reused`.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: nobody answers.
    """
    platform_no, pay_in_no = pay_in.platform_no, pay_in.object_no
    codes = services.registry.pay_in_codes
    number = await codes.count_try(platform_no, pay_in_no, request_no, code, is_awaited=awaits_code(pay_in))
    outcome = (await codes.tries.typed(platform_no, pay_in_no, number)).outcome
    if outcome is None:
        await _brought(services, pay_in, lambda: services.processes.compare_payer_code(platform_no, pay_in_no, number))
        outcome = (await codes.tries.typed(platform_no, pay_in_no, number)).outcome
    if outcome is None:
        now = await known_pay_in(services, platform_no, pay_in_no)
        if now.status not in _CODE_WAS_RIGHT:
            raise _unheard(now)
        # Its answer was lost, and the payment went on: as the bank answers whatever is typed by then.
        return CodeCheck.ACCEPTED
    if outcome in (CodeCheck.ACCEPTED, CodeCheck.EXHAUSTED):
        await until(
            services, lambda: known_pay_in(services, platform_no, pay_in_no), lambda found: not awaits_code(found)
        )
    return outcome


def awaits_code(pay_in: BusinessObject) -> bool:
    """Whether a quick payment waits for its payer's code."""
    return pay_in.status == PayInStatus.AWAITING_PAYER and pay_in.body["method"] == CollectionMethod.QUICK


def _was_sent(pay_in: BusinessObject, request_no: str) -> bool:
    return request_no in pay_in.body.get("codes_sent", ())


async def _brought(services: Services, pay_in: BusinessObject, call: Callable[[], Awaitable[None]]) -> None:
    """Call the process of a payment; one that was ended while its payer's code is awaited is begun again."""

    async def begin() -> bool:
        now = await known_pay_in(services, pay_in.platform_no, pay_in.object_no)
        if awaits_code(now):
            await services.processes.start_pay_in(
                now.platform_no,
                now.object_no,
                member_no=now.body["member_no"],
                amount_fen=now.body["amount_fen"],
                method=CollectionMethod.QUICK,
            )
        return awaits_code(now)

    await brought(call, begin)


def _unheard(pay_in: BusinessObject) -> EscrowError:
    """What is answered where the books do not know what became of something."""
    if awaits_code(pay_in):
        return OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")
    return Refused("code_not_awaited", "The payment waits for no code.")


async def known_pay_in(services: Services, platform_no: str, pay_in_no: str) -> BusinessObject:
    """What is collected under a number.

    Raises:
        Refused: `not_found`.
    """
    pay_in = await get_object(services.reader, platform_no, "pay_in", pay_in_no)
    if pay_in is None:
        raise Refused("not_found", "There is no such payment.")
    return pay_in
