"""Rows of the money's processes: collections, batches, refunds, withdrawals, transfers, each in a state that waits."""

from typing import Any

from escrow.domain.collections.batch_payments import batch_pay_in_no
from escrow.domain.collections.terms import direct_pay_in_no
from escrow.domain.orders.contract import automatic_withdrawal_no
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.withdrawals.commands import CallOperator
from escrow.domain.withdrawals.holding import WITHDRAWALS
from escrow.ledger.books import Books, see
from escrow.ledger.objects import get_object
from tests.api.payers import CODE
from tests.api.platforms import card_number, order_body
from tests.api.test_suspense_returns import stranger_transfers
from tests.faults.callers import insist
from tests.waiting import until
from tests.workflows.blows import Row, nothing
from tests.workflows.breaking import stranger_comes
from tests.workflows.house_of_rounds import House
from workflows.messages import PROCESSES

#: What the bank does with the amount, by its README: takes long; never gets it; the payer pays one yuan less; does not
#: give it back.
_STUCK_FEN, _LOST_FEN, _SHORT_FEN, _REFUND_FAILS_FEN = 190_004, 90_002, 90_016, 18_690_012
#: A withdrawal of as much is announced.
LARGE_FEN = 190_000
_ASKED_FEN = 10_000
#: As much goes over one rail only, which keeps working days.
LARGE_VALUE_FEN = 100_000_001


# ---- collections ----


async def topped_up(house: House, number: str, amount_fen: int = _ASKED_FEN, **how: Any) -> None:
    """A top-up is asked for; the channel has said what its payer has to do."""
    body = {"top_up_no": number, "member_no": "O-1", "method": "qr_wechat", "amount_fen": amount_fen, **how}
    await insist(house.platform, "/top-ups", **body)


async def _top_up_that_nobody_hears(house: House, number: str) -> None:
    await house.top_up_is_asked(number, _ASKED_FEN)


async def _top_up_that_the_channel_never_gets(house: House, number: str) -> None:
    """It is begun as the API would, which waits for the channel's answer."""
    process, platform_no = PROCESSES["pay_in"], house.platform.number
    await house.top_up_is_asked(number, _LOST_FEN)
    await house.client.start_workflow(
        process.workflow,
        process.reference(platform_no, number),
        id=process.workflow_id(platform_no, number),
        task_queue=process.task_queue,
    )


async def _top_up_being_paid(house: House, number: str) -> None:
    await topped_up(house, number, _STUCK_FEN)
    await house.payer_pays(number)


async def _top_up_paid_twice(house: House, number: str) -> None:
    await topped_up(house, number)
    await house.payer_pays(number)
    await house.payer_pays(number, amount_fen=_STUCK_FEN)
    await _return_is(house, number, "held")


async def _top_up_paid_short(house: House, number: str) -> None:
    await topped_up(house, number, _SHORT_FEN)
    await house.payer_pays(number)
    await _return_is(house, number, "returned")


async def _return_is(house: House, number: str, outcome: str) -> None:
    async def is_so() -> bool:
        found = await get_object(house.books.recorder, house.platform.number, "pay_in", number)
        return found is not None and _outcomes_of_returns(found.body) == [outcome]

    await until(is_so, f"the return of {number} is {outcome}")


async def _quick(house: House, number: str) -> None:
    await topped_up(house, number, member_no="O-2", method="quick", account_id="A-O-2")


async def _types_a_code(house: House, number: str) -> None:
    """The first code has expired meanwhile."""
    sent = await house.platform.post(f"/top-ups/{number}/sms-codes", request_no=f"{number}-again")
    assert sent.status_code == 200, sent.text
    typed = await house.platform.post(f"/top-ups/{number}/confirm", request_no=f"{number}-typed", code=CODE)
    assert typed.json()["outcome"] == "accepted", typed.text


async def _debit(house: House, number: str) -> None:
    await topped_up(house, number, _STUCK_FEN, member_no="O-2", method="direct_debit", mandate_no="M-1")


async def _pays(house: House, number: str) -> None:
    await house.payer_pays(number)


async def _pays_late(house: House, number: str) -> None:
    await house.payer_pays(number, amount_fen=_SHORT_FEN)


# ---- orders that a channel pays, alone and in batches, and what it gives back ----


def _direct(number: str) -> str:
    return direct_pay_in_no(number, f"R-{number}")


async def _order_that_a_channel_pays(house: House, number: str, total_fen: int = _STUCK_FEN) -> None:
    await insist(house.platform, "/orders", **order_body(number, total_fen=total_fen))
    paying = {"request_no": f"R-{number}", "by": "O-1", "method": "qr_wechat"}
    await insist(house.platform, f"/orders/{number}/direct-payments", **paying)


async def _pays_order(house: House, number: str, amount_fen: int = _STUCK_FEN) -> None:
    await house.payer_pays(_direct(number), amount_fen=amount_fen)


async def _refunded_order(house: House, number: str, total_fen: int = _STUCK_FEN) -> None:
    await _order_that_a_channel_pays(house, number, total_fen)
    await _pays_order(house, number, total_fen)

    async def is_paid() -> bool:
        return bool((await house.platform.get(f"/orders/{number}")).json()["status"] == "awaiting_start")

    await until(is_paid, f"{number} is paid")
    await insist(house.platform, f"/orders/{number}/cancel", request_no=f"{number}-cancel", by="C-1")


async def _refund_that_a_stranger_hears(house: House, number: str) -> None:
    await stranger_comes(house.client, PROCESSES["refund"].workflow_id(house.platform.number, number))
    await _refunded_order(house, number)


async def _refund_under_way(house: House, number: str) -> None:
    await _refunded_order(house, number)

    async def is_begun() -> bool:
        found = await get_object(house.books.recorder, house.platform.number, "refund", number)
        return found is not None and bool(found.body.get("begun_at"))

    await until(is_begun, f"the refund of {number} is begun")


async def _refund_that_fails(house: House, number: str) -> None:
    await _refunded_order(house, number, _REFUND_FAILS_FEN)


async def _batch(house: House, number: str) -> None:
    await insist(house.platform, "/orders", **order_body(f"{number}-D", total_fen=_ASKED_FEN))
    orders = [{"order_no": f"{number}-D", "amount_fen": _ASKED_FEN}]
    body = {"batch_no": number, "payer_no": "O-1", "orders": orders, "collection": {"method": "qr_wechat"}}
    await insist(house.platform, "/batch-payments", **body)


async def _pays_batch(house: House, number: str) -> None:
    await house.payer_pays(batch_pay_in_no(number))


# ---- money that leaves ----


async def _withdraw(house: House, number: str, principal_fen: int) -> None:
    body = {"withdrawal_no": number, "member_no": "O-1", "principal_fen": principal_fen}
    await insist(house.platform, "/withdrawals", **body)


async def _withdrawal_that_a_stranger_hears(house: House, number: str) -> None:
    """A release is followed by an automatic withdrawal, whose process cannot be woken. O-3 has no pending money."""
    await stranger_comes(house.client, PROCESSES["withdrawal"].workflow_id(house.platform.number, _automatic(number)))
    order = order_body(number, owner_no="O-3", total_fen=_STUCK_FEN, withdraw_automatically=True)
    await insist(house.platform, "/orders", **order)
    for operation, by in (("pay", "O-3"), ("start", "C-1")):
        await insist(house.platform, f"/orders/{number}/{operation}", request_no=f"{number}-{operation}", by=by)


def _automatic(number: str) -> str:
    return automatic_withdrawal_no(number, 1)


async def _withdrawal_under_way(house: House, number: str) -> None:
    await _withdraw(house, number, _STUCK_FEN)


async def _large_withdrawal(house: House, number: str) -> None:
    await _withdraw(house, number, LARGE_FEN + _ASKED_FEN)


async def _withdrawal_that_needs_attention(house: House, number: str) -> None:
    """An operator is called as by whoever asks the bank and finds something wrong."""
    await _withdraw(house, number, _STUCK_FEN)
    await until(lambda: _withdrawal_is(house, number, "submitted"), f"{number} is submitted")
    recorder, platform_no = house.books.recorder, house.platform.number
    call = CallOperator(
        reason="ask the bank", seen_version=(await see(recorder, WITHDRAWALS, platform_no, number)).version
    )
    await Books(house.writer, recorder).take(WITHDRAWALS, platform_no, number, call)


async def _withdrawal_is(house: House, number: str, status: str) -> bool:
    found = await get_object(house.books.recorder, house.platform.number, "withdrawal", number)
    return found is not None and found.status == status


async def _withdrawal_without_an_answer(house: House, number: str) -> None:
    await _withdraw(house, number, _LOST_FEN)


async def _withdrawal_that_no_rail_takes(house: House, number: str) -> None:
    await _withdraw(house, number, _ASKED_FEN)


async def _withdrawal_for_large_value(house: House, number: str) -> None:
    body = {"withdrawal_no": number, "member_no": "C-1", "principal_fen": LARGE_VALUE_FEN}
    await insist(house.platform, "/withdrawals", **body)

    async def waits() -> bool:
        found = await get_object(house.books.recorder, house.platform.number, "withdrawal", number)
        return found is not None and bool(found.body.get("attention"))

    await until(waits, f"{number} waits for an operator")


async def _sent_back(house: House, number: str) -> None:
    credit_no = await stranger_transfers(house.platform, 90_004, card_number())
    await insist(house.platform, f"/suspense/{credit_no}/returns", return_no=number, amount_fen=90_004)


async def _assignment_that_nobody_hears(house: House, number: str) -> None:
    credit_no = await stranger_transfers(house.platform)
    await house.transfer_is_asked(TransferKind.ASSIGNMENT, number, PLATFORM_ITSELF, credit_no, _ASKED_FEN)


async def _reversal_that_nobody_hears(house: House, number: str) -> None:
    credit_no = await stranger_transfers(house.platform)
    assigned = {"assignment_no": f"{number}-A", "member_no": "O-1", "amount_fen": _ASKED_FEN}
    await insist(house.platform, f"/suspense/{credit_no}/assignments", **assigned)
    await house.transfer_is_asked(TransferKind.REVERSAL, number, PLATFORM_ITSELF, f"{number}-A", _ASKED_FEN)


def _gave_back(body: Any) -> bool:
    return _outcomes_of_returns(body) == ["returned"]


def _outcomes_of_returns(body: Any) -> list[str]:
    """What became of each return that its channel got."""
    return [item["outcome"] for item in body["returns"] if item["outcome"] != "lost"]


#: Prepared last, with all rails down.
QUEUED = "withdrawal that no rail takes"
_NEVER_BEGUN = {"never begun": nothing}

ROWS: dict[str, Row] = {
    "top-up that nobody has opened": Row(
        kind="pay_in", prepared=_top_up_that_nobody_hears, status="closed", faults=_NEVER_BEGUN
    ),
    "top-up that nobody pays": Row(kind="pay_in", prepared=topped_up, waits_in="awaiting_payer", status="closed"),
    "top-up, paid unheard": Row(
        kind="pay_in", prepared=topped_up, waits_in="awaiting_payer", status="paid", said=_pays
    ),
    "top-up whose payment is under way": Row(
        kind="pay_in", prepared=_top_up_being_paid, waits_in="processing", status="paid"
    ),
    "top-up paid twice, a return under way": Row(
        kind="pay_in", prepared=_top_up_paid_twice, waits_in="paid", status="paid", ends=_gave_back
    ),
    "top-up paid short and closed, paid late": Row(
        kind="pay_in", prepared=_top_up_paid_short, waits_in="closed", status="paid", said=_pays_late, ends=_gave_back
    ),
    "quick payment that waits for a code": Row(
        kind="pay_in", prepared=_quick, waits_in="awaiting_payer", status="paid", done=_types_a_code, texts=2
    ),
    "direct debit under way": Row(kind="pay_in", prepared=_debit, waits_in="processing", status="paid"),
    "collection for an order, paid unheard": Row(
        kind="pay_in",
        prepared=_order_that_a_channel_pays,
        object_no=_direct,
        waits_in="awaiting_payer",
        status="paid",
        said=_pays_order,
    ),
    "collection for a batch, paid unheard": Row(
        kind="pay_in",
        prepared=_batch,
        object_no=batch_pay_in_no,
        waits_in="awaiting_payer",
        status="paid",
        said=_pays_batch,
    ),
    "batch that nobody pays": Row(kind="batch_payment", prepared=_batch, waits_in="awaiting_payment", status="closed"),
    "batch, paid unheard": Row(
        kind="batch_payment", prepared=_batch, waits_in="awaiting_payment", status="paid", said=_pays_batch
    ),
    "refund whose id a stranger had before": Row(
        kind="refund",
        prepared=_refund_that_a_stranger_hears,
        waits_in="under_way",
        status="refunded",
        faults=_NEVER_BEGUN,
    ),
    "refund under way": Row(kind="refund", prepared=_refund_under_way, waits_in="under_way", status="refunded"),
    "automatic withdrawal whose id a stranger had": Row(
        kind="withdrawal",
        prepared=_withdrawal_that_a_stranger_hears,
        object_no=_automatic,
        waits_in="requested",
        status="paid",
        faults=_NEVER_BEGUN,
    ),
    "withdrawal under way": Row(
        kind="withdrawal", prepared=_withdrawal_under_way, waits_in="submitted", status="paid", texts=1
    ),
    "withdrawal that needs attention": Row(
        kind="withdrawal",
        prepared=_withdrawal_that_needs_attention,
        waits_in="needs_attention",
        status="paid",
        texts=1,
    ),
    "withdrawal without an answer": Row(
        kind="withdrawal",
        prepared=_withdrawal_without_an_answer,
        waits_in="unknown",
        status="failed",
        asks_anew=True,
    ),
    "return of suspense money under way": Row(
        kind="withdrawal", prepared=_sent_back, waits_in="submitted", status="paid"
    ),
    "assignment that nobody has made": Row(
        kind="assignment", prepared=_assignment_that_nobody_hears, status="done", faults=_NEVER_BEGUN
    ),
    "reversal that nobody has made": Row(
        kind="reversal", prepared=_reversal_that_nobody_hears, status="done", faults=_NEVER_BEGUN
    ),
    "top-up that the channel never gets": Row(
        kind="pay_in",
        prepared=_top_up_that_the_channel_never_gets,
        waits_in="opened",
        status="failed",
    ),
    QUEUED: Row(kind="withdrawal", prepared=_withdrawal_that_no_rail_takes, waits_in="queued", status="paid"),
}
#: In a year without a calendar, in which only an operator can help: it waits for one, with its money, whatever happens.
ROWS_WITHOUT_A_CALENDAR: dict[str, Row] = {
    "withdrawal that waits for an operator": Row(
        kind="withdrawal",
        prepared=_withdrawal_for_large_value,
        waits_in="held",
        status="held",
        ends=lambda body: bool(body.get("attention")),
        texts=1,
    ),
}
#: Texts are lost while it comes to its end, after which somebody is still to be told of it.
ROWS_TO_BE_TOLD_OF: dict[str, Row] = {
    "withdrawal that is not announced yet": Row(
        kind="withdrawal",
        prepared=_large_withdrawal,
        waits_in="paid",
        status="paid",
        ends=lambda body: bool(body["sms"] == "sent"),
        texts=1,
    ),
    "failed refund that nobody is told of yet": Row(
        kind="refund",
        prepared=_refund_that_fails,
        waits_in="credited",
        status="credited",
        ends=lambda body: bool(body["told"]),
        texts=1,
    ),
}
