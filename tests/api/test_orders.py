"""Orders over HTTP, on the whole stack: what is answered, what is refused, and what a repeat is told."""

from typing import Any

import pytest
from pydantic import ValidationError

from escrow.domain.platforms.config import BusinessModel, PlatformConfig, Settlement
from escrow.registry.platforms.file import PlatformFile
from escrow.stack.up import Stack
from tests.api.platforms import MILESTONES, PRICE_FEN, Platform, PlatformMaker, created, order_body
from tests.api.temporal import signal_order
from tests.waiting import until

DEPOSIT_FEN = 5_580_000


async def test_an_order_goes_from_contract_to_release_and_to_the_bank(platform: Platform) -> None:
    await platform.paid_order(withdraw_automatically=True)
    assert (await platform.balances("O-1"))["in_escrow_fen_by_order"] == {"D-1001": PRICE_FEN}
    started = await platform.command("D-1001/start", "R-start", "C-1")
    assert started["result"]["released_fen"] == DEPOSIT_FEN * 95 // 100
    await platform.command("D-1001/milestones/2/complete", "R-2c", "C-1")
    accepted = await platform.command("D-1001/milestones/2/accept", "R-2a", "O-1")
    assert accepted["order"]["status"] == "in_progress"
    assert accepted["order"]["held_fen"] == PRICE_FEN * 40 // 100

    async def both_paid() -> bool:
        found = (await platform.get("/withdrawals")).json()["withdrawals"]
        return [withdrawal["status"] for withdrawal in found] == ["paid", "paid"]

    await until(both_paid, "both are paid")
    first = (await platform.get("/withdrawals")).json()["withdrawals"][0]
    assert first["reasons"]
    assert first["order_no"] == "D-1001"
    view = (await platform.get("/platform")).json()
    assert sum(view["balances_fen"].values()) == 0


async def test_what_is_told_of_an_order_is_what_was_signed(platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    order = await platform.open_order()
    assert [milestone["amount_fen"] for milestone in order["milestones"]] == [
        DEPOSIT_FEN,
        5_580_000,
        6_510_000,
        930_000,
    ]
    assert (order["total_fen"], order["paid_fen"], order["held_fen"]) == (PRICE_FEN, 0, 0)
    assert order["possible_now"] == ["pay", "cancel"]
    assert order["workflow_id"] == f"order/{platform.number}/D-1001"
    assert order["step_due_at"].endswith(("+08:00", "Z", "+00:00"))


async def test_a_contract_without_a_plan_takes_the_usual_one(platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    answer = await platform.post("/orders", **order_body(total_fen=18_600_000, milestones=None))
    kinds = [(milestone["kind"], milestone["amount_fen"]) for milestone in answer.json()["milestones"]]
    assert kinds == [
        ("start", 5_580_000),
        ("acceptance", 5_580_000),
        ("acceptance", 3_720_000),
        ("acceptance", 2_790_000),
        ("warranty", 930_000),
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"owner_no": "O-404"}, "member_unknown"),
        ({"contractor_no": "C-404"}, "member_unknown"),
        ({"contractor_no": None}, "member_unknown"),
        ({"contractor_no": "O-1"}, "member_unknown"),
        ({"milestones": [{**MILESTONES[1], "share": "99%"}]}, "milestone_plan"),
        ({"milestones": MILESTONES[::-1]}, "milestone_plan"),
        ({"milestones": [{**MILESTONES[1], "share": "all"}]}, "ratio_invalid"),
    ],
)
async def test_a_contract_that_does_not_hold_together_is_refused(
    platform: Platform, changes: dict[str, Any], code: str
) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    answer = await platform.post("/orders", **order_body(**changes))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await platform.get("/orders/D-1001")).status_code == 404


@pytest.mark.parametrize(
    "config", [PlatformConfig(auto_withdraw_allowed=False), PlatformConfig(release_settlement=Settlement.T_PLUS_1)]
)
async def test_an_order_withdraws_by_itself_only_where_that_is_on_and_the_money_does_not_wait(
    platforms: PlatformMaker, config: PlatformConfig
) -> None:
    platform = await platforms.open(config)
    await platform.open_owner()
    await platform.open_contractor()
    answer = await platform.post("/orders", **order_body(withdraw_automatically=True))
    assert (answer.status_code, answer.json()["code"]) == (403, "function_off")


@pytest.mark.parametrize("wrong", [{"commission_basis_points": 500}, {"release_settlement": "T+1"}])
def test_a_self_operated_platform_takes_no_commission_and_its_own_money_never_waits(wrong: dict[str, object]) -> None:
    sound = {"business_model": "self_operated", "commission_basis_points": 0}
    file = {"platform_no": "HOME", "name": "自营", "config": sound}
    assert PlatformFile.model_validate(file).config.business_model is BusinessModel.SELF_OPERATED
    with pytest.raises(ValidationError, match="self_operated platform"):
        PlatformFile.model_validate({**file, "config": {**sound, **wrong}})


async def test_a_self_operated_platform_is_paid_itself_without_commission(platforms: PlatformMaker) -> None:
    platform = await platforms.open(
        PlatformConfig(business_model=BusinessModel.SELF_OPERATED, commission_basis_points=0)
    )
    card = await platform.open_owner()
    await platform.top_up(card, PRICE_FEN)
    await platform.open_order(contractor_no=None)
    await platform.command("D-1001/pay", "R-1", "O-1")
    await platform.command("D-1001/start", "R-2", "platform")
    assert (await platform.get("/platform")).json()["balances_fen"]["own"] == DEPOSIT_FEN


async def test_paying_without_the_money_is_refused_and_judged_anew_under_the_same_number(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.open_order()
    for _ in range(2):
        refused = await platform.post("/orders/D-1001/pay", request_no="R-1", by="O-1")
        assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_balance")
    await platform.top_up(card, PRICE_FEN)
    await platform.command("D-1001/pay", "R-1", "O-1")
    again = await platform.post("/orders/D-1001/pay", request_no="R-1", by="O-1")
    assert again.json()["result"]["order_status"] == "awaiting_start"


async def test_the_number_of_a_refused_order_is_free_for_another_contract(platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    wrong = await platform.post("/orders", order_no="D-9", owner_no="O-1", contractor_no="C-404", total_fen=100_000)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "member_unknown")
    right = await platform.post("/orders", order_no="D-9", owner_no="O-1", contractor_no="C-1", total_fen=100_000)
    assert right.status_code == 201


async def test_an_untimely_command_names_the_state_and_what_is_possible(platform: Platform) -> None:
    await platform.paid_order()
    answer = await platform.post("/orders/D-1001/milestones/2/accept", request_no="R-1", by="O-1")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "order_state")
    assert "awaiting_start" in problem["detail"]
    assert problem["details"]["possible"] == ["start", "cancel"]


async def test_the_wrong_party_is_refused(platform: Platform) -> None:
    await platform.paid_order()
    answer = await platform.post("/orders/D-1001/start", request_no="R-1", by="O-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_the_party")


async def test_a_milestone_that_the_contract_does_not_have_is_refused(platform: Platform) -> None:
    await platform.paid_order()
    answer = await platform.post("/orders/D-1001/milestones/9/complete", request_no="R-1", by="C-1")
    assert (answer.status_code, answer.json()["code"]) == (422, "milestone_unknown")


async def test_a_repeated_command_is_answered_as_the_first_time_even_after_the_order_has_ended(
    platform: Platform,
) -> None:
    await platform.paid_order()
    first = await platform.command("D-1001/cancel", "R-1", "O-1")
    assert first["order"]["status"] == "cancelled"
    assert first["result"]["refunded_fen"] == PRICE_FEN
    again = await platform.command("D-1001/cancel", "R-1", "O-1")
    assert again == first
    paid_again = await platform.command("D-1001/pay", "D-1001-pay", "O-1")
    assert paid_again["result"]["operation"] == "pay"
    assert (await platform.balances("O-1"))["available_fen"] == PRICE_FEN


async def test_an_order_that_has_ended_takes_nothing_more(platform: Platform) -> None:
    await platform.paid_order()
    await platform.command("D-1001/cancel", "R-1", "O-1")
    answer = await platform.post("/orders/D-1001/start", request_no="R-2", by="C-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "order_state")
    again = await platform.post("/orders/D-1001/start", request_no="R-2", by="C-1")
    assert again.json() == answer.json()


async def test_one_request_number_covers_one_command_of_one_order(platform: Platform) -> None:
    await platform.paid_order()
    other = await platform.post("/orders/D-1001/cancel", request_no="D-1001-pay", by="O-1")
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")


async def test_a_signal_moves_money_only_with_a_recorded_consent(platform: Platform, stack: Stack) -> None:
    await platform.paid_order()
    command = {"request_no": "R-1", "by": "C-1"}
    await signal_order(stack, platform.number, "D-1001", "start", command)
    answer = await platform.post("/orders/D-1001/consents", **{**command, "request_no": "R-2"}, operation="start")
    assert answer.status_code == 201
    assert (await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start"
    await signal_order(stack, platform.number, "D-1001", "start", {**command, "request_no": "R-2"})

    async def started() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "in_progress")

    await until(started, "the command is carried out")
    assert (await platform.balances("C-1"))["withdrawable_fen"] == DEPOSIT_FEN * 95 // 100
    told = await platform.command("D-1001/start", "R-2", "C-1")
    assert told["result"]["released_fen"] == DEPOSIT_FEN * 95 // 100


async def test_every_change_of_an_order_is_an_event_numbered_without_a_gap(platform: Platform) -> None:
    await platform.paid_order()
    await platform.command("D-1001/start", "R-1", "C-1")
    events = (await platform.get("/events", kind="order", object_no="D-1001")).json()["events"]
    assert [event["sequence_no"] for event in events] == list(range(1, len(events) + 1))
    assert [event["event_type"] for event in events][:2] == ["order.opened", "order.paid"]
    feed: list[dict[str, Any]] = []

    async def whole_feed() -> bool:
        while page := (await platform.get("/events", after=feed[-1]["cursor"] if feed else "", limit=3)).json()[
            "events"
        ]:
            feed.extend(page)
        return events[-1] in feed

    await until(whole_feed, "the feed holds all events")
    assert [event for event in feed if event["kind"] == "order"] == events


async def test_statement_and_history_add_up_to_the_balances(platform: Platform) -> None:
    await platform.paid_order()
    await platform.command("D-1001/start", "R-1", "C-1")
    period = {"first_day": "2020-01-01", "last_day": "2099-12-31"}
    for member_no in ("O-1", "C-1"):
        statement = (await platform.get("/statements", member_no=member_no, **period)).json()
        moved = sum(line["amount_fen"] for line in statement["lines"])
        assert statement["opening_fen"] + moved == statement["closing_fen"]
        accounts = (await platform.get("/accounts", member_no=member_no)).json()["accounts"]
        assert sum(account["balance_fen"] for account in accounts) == statement["closing_fen"]
        for account in accounts:
            history = (await platform.get(f"/accounts/{account['account']}/history")).json()
            assert history["closing_fen"] == account["balance_fen"]
            assert (
                history["opening_fen"] + sum(line["amount_fen"] for line in history["lines"]) == history["closing_fen"]
            )
    escrow = (await platform.get("/accounts/O-1/escrow:D-1001/history")).json()
    assert [line["recipe"] for line in escrow["lines"]] == ["order_frozen", "deposit_released"]


async def test_orders_are_listed_by_status(platform: Platform) -> None:
    await platform.paid_order("D-1")
    await platform.open_order("D-2")
    unpaid = (await platform.get("/orders", status="awaiting_payment")).json()["orders"]
    assert [order["order_no"] for order in unpaid] == ["D-2"]


async def test_a_withdrawal_without_the_money_is_refused_and_one_with_it_arrives(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.top_up(card, 100_000)
    refused = await platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-1", principal_fen=100_001)
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_balance")
    again = await platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-1", principal_fen=100_001)
    assert again.json() == refused.json()
    await platform.post("/withdrawals", withdrawal_no="W-2", member_no="O-1", principal_fen=100_000)

    async def paid() -> bool:
        return bool((await platform.get("/withdrawals/W-2")).json()["status"] == "paid")

    await until(paid, "it is paid")
    assert (await platform.balances("O-1"))["available_fen"] == 0


async def test_a_withdrawal_to_an_unbound_account_is_refused(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.top_up(card, 100_000)
    await platform.http.delete("/v1/members/O-1/bank-accounts/A-O-1")
    answer = await platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-1", principal_fen=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_not_bound")


async def test_an_account_that_a_withdrawal_is_on_its_way_to_stays_bound(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.top_up(card, 100_000)
    await platform.bank.set_bank_health("DOWN")
    try:
        await created(platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-1", principal_fen=5_000))
        refused = await platform.http.delete("/v1/members/O-1/bank-accounts/A-O-1")
        assert (refused.status_code, refused.json()["code"]) == (409, "account_in_use")
    finally:
        await platform.bank.reset()

    async def unbound() -> bool:
        return (await platform.http.delete("/v1/members/O-1/bank-accounts/A-O-1")).status_code == 200

    await until(unbound, "the account is unbound")
    assert (await platform.get("/withdrawals/W-1")).json()["status"] == "paid"
