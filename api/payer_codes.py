"""The codes of quick payments, typed on the cashier page or relayed by the platform: sent again, and compared."""

from api.dependencies import Services
from api.problems import OrderBusy
from api.temporal_calls import WorkflowEnded
from api.waiting import until
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.pay_ins import PayInStatus
from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.ledger.objects import BusinessObject, get_object

_SENDS_NONE = "The bank sends no other code for this payment."


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
    limit = False
    try:
        await services.processes.send_payer_code(platform_no, pay_in_no, request_no)
    except WorkflowEnded as ended:
        raise Refused("code_not_awaited", "The payment has ended.") from ended
    except Refused as refusal:
        limit = refusal.code == "sms_code_limit"  # the bank's own, of which the books know nothing
    now = await known_pay_in(services, platform_no, pay_in_no)
    if _was_sent(now, request_no):
        return
    if not awaits_code(now):
        raise Refused("code_not_awaited", _SENDS_NONE)
    raise Refused("sms_code_limit", _SENDS_NONE) if limit else _unheard()


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
        try:
            await services.processes.compare_payer_code(platform_no, pay_in_no, number)
        except WorkflowEnded as ended:
            raise Refused("code_not_awaited", "The payment has ended.") from ended
        except Refused:
            pass  # the books say how it compared, or that nobody knows
        outcome = (await codes.tries.typed(platform_no, pay_in_no, number)).outcome
    if outcome is None:
        if awaits_code(await known_pay_in(services, platform_no, pay_in_no)):
            raise _unheard()
        raise Refused("code_not_awaited", "The payment waits for no code.")
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


def _unheard() -> OrderBusy:
    return OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")


async def known_pay_in(services: Services, platform_no: str, pay_in_no: str) -> BusinessObject:
    """What is collected under a number.

    Raises:
        Refused: `not_found`.
    """
    pay_in = await get_object(services.reader, platform_no, "pay_in", pay_in_no)
    if pay_in is None:
        raise Refused("not_found", "There is no such payment.")
    return pay_in
