"""An operator assigns money in suspense at its terminal; the platform sees and reverses it like its own assignment."""

import asyncpg

from escrow.stack.up import Stack
from tests.api.platforms import Platform, created
from tests.api.test_suspense_returns import books_are_sound, escrow, left_fen, operator_key, stranger_transfers


async def test_an_operator_assigns_money_in_suspense_once_and_the_platform_reverses_it(
    platform: Platform, stack: Stack
) -> None:
    await platform.open_owner()
    credit_no = await stranger_transfers(platform)
    operator_no = f"wang-{platform.number}"
    key = operator_key(stack, operator_no)
    assigning = ("suspense", "assign", platform.number, "AS-1", credit_no, "O-1", "40.00")
    nobody = escrow(stack, *assigning, key="op_nobody")
    assert nobody.returncode == 1
    assert await left_fen(platform, credit_no) == 10_000

    for _ in range(2):
        assigned = escrow(stack, *assigning, key=key)
        assert assigned.returncode == 0, assigned.stderr
        assert f"{operator_no} assigned 40.00 of {credit_no} to O-1: done" in assigned.stdout
    assert await left_fen(platform, credit_no) == 6_000
    assert (await platform.balances("O-1"))["available_fen"] == 4_000
    assert (await platform.get("/suspense/assignments/AS-1")).json()["member_no"] == "O-1"
    events = (await platform.get("/events", limit=200)).json()["events"]
    assert [event["event_type"] for event in events].count("assignment.done") == 1
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        given = await connection.fetchval(
            "SELECT method FROM consent WHERE platform_no = $1 AND object_kind = 'assignment'", platform.number
        )
    finally:
        await connection.close()
    assert given == f"operator/{operator_no}"

    reversal = {"reversal_no": "RV-1", "amount_fen": 1_500}
    await created(platform.post("/suspense/assignments/AS-1/reversals", **reversal))
    assert await left_fen(platform, credit_no) == 7_500
    await books_are_sound(stack, platform)


async def test_what_an_operator_may_not_assign_stays_in_suspense(platform: Platform, stack: Stack) -> None:
    await platform.open_owner()
    credit_no = await stranger_transfers(platform)
    key = operator_key(stack, f"zhao-{platform.number}")
    taken = {"assignment_no": "AS-1", "member_no": "O-1", "amount_fen": 1_000}
    await created(platform.post(f"/suspense/{credit_no}/assignments", **taken))
    for number, member_no, amount, code in (
        ("AS-1", "O-1", "20.00", "request_no_reused"),
        ("AS-2", "O-1", "90.01", "insufficient_balance"),
        ("AS-3", "O-404", "1.00", "member_unknown"),
    ):
        for _ in range(2):
            refused = escrow(
                stack, "suspense", "assign", platform.number, number, credit_no, member_no, amount, key=key
            )
            assert (refused.returncode, code in refused.stderr) == (1, True), refused.stderr
    assert await left_fen(platform, credit_no) == 9_000
