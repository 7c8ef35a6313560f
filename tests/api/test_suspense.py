"""Suspense: listed, given to the member it belongs to, and taken back, at most what is still there."""

import asyncio

from tests.api.platforms import Platform, PlatformMaker, created
from tests.waiting import until


async def stranger_transfers(platform: Platform, amount_fen: int = 10_000) -> str:
    """Money from an unknown account; its number in suspense."""
    line = await platform.bank.transfer(
        custody_account_no=platform.custody_account_no,
        amount_fen=amount_fen,
        account_no="6217000010000000000",
        account_name="某人",
    )

    async def waits() -> bool:
        listed = (await platform.get("/suspense")).json()["credits"]
        return {"credit_no": line.bank_serial_no, "left_fen": amount_fen} in listed

    await until(waits, "the money waits")
    return line.bank_serial_no


def assigning(number: str, amount_fen: int, member_no: str = "O-1") -> dict[str, object]:
    """An instruction to assign."""
    return {"assignment_no": number, "member_no": member_no, "amount_fen": amount_fen}


async def test_money_in_suspense_is_assigned_in_parts_and_once(platform: Platform) -> None:
    await platform.open_owner()
    credit_no = await stranger_transfers(platform)
    first = await created(platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-1", 4_000)))
    again = await platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-1", 4_000))
    assert (again.status_code, again.json()) == (200, first)
    assert (await platform.balances("O-1"))["available_fen"] == 4_000
    too_much = await platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-2", 6_001))
    assert (too_much.status_code, too_much.json()["code"]) == (409, "insufficient_balance")
    await created(platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-3", 6_000)))
    assert (await platform.get("/suspense")).json()["credits"] == []


async def test_an_assignment_is_taken_back_partly_and_never_more_than_assigned(platform: Platform) -> None:
    await platform.open_owner()
    credit_no = await stranger_transfers(platform)
    await created(platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-1", 10_000)))
    part = await created(platform.post("/suspense/assignments/AS-1/reversals", reversal_no="RV-1", amount_fen=3_000))
    assert part["reversed_fen"] == 3_000
    again = await platform.post("/suspense/assignments/AS-1/reversals", reversal_no="RV-1", amount_fen=3_000)
    assert (again.status_code, again.json()) == (200, part)
    more = await platform.post("/suspense/assignments/AS-1/reversals", reversal_no="RV-2", amount_fen=7_001)
    assert (more.status_code, more.json()["code"]) == (409, "reversal_exceeds_assignment")
    assert (await platform.balances("O-1"))["available_fen"] == 7_000
    assert (await platform.get("/suspense")).json()["credits"] == [{"credit_no": credit_no, "left_fen": 3_000}]


async def test_what_the_member_has_spent_cannot_be_taken_back(platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    credit_no = await stranger_transfers(platform)
    await created(platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-1", 10_000)))
    await created(platform.post("/payments", payment_no="P-1", payer_no="O-1", payee_no="C-1", amount_fen=8_000))
    too_much = await platform.post("/suspense/assignments/AS-1/reversals", reversal_no="RV-1", amount_fen=2_001)
    assert (too_much.status_code, too_much.json()["code"]) == (409, "insufficient_balance")
    await created(platform.post("/suspense/assignments/AS-1/reversals", reversal_no="RV-2", amount_fen=2_000))
    assert (await platform.balances("O-1"))["available_fen"] == 0


async def test_reversals_at_once_take_back_no_more_than_was_assigned(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.top_up(card, 50_000)
    credit_no = await stranger_transfers(platform)
    await created(platform.post(f"/suspense/{credit_no}/assignments", **assigning("AS-1", 10_000)))
    answers = await asyncio.gather(
        *(
            platform.post("/suspense/assignments/AS-1/reversals", reversal_no=f"RV-{number}", amount_fen=4_000)
            for number in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    assert (await platform.get("/suspense/assignments/AS-1")).json()["reversed_fen"] == 8_000
    assert (await platform.balances("O-1"))["available_fen"] == 52_000


async def test_another_platforms_suspense_does_not_exist(platforms: PlatformMaker, platform: Platform) -> None:
    credit_no = await stranger_transfers(platform)
    stranger = await platforms.open()
    await stranger.open_owner()
    assert (await stranger.get("/suspense")).json()["credits"] == []
    answer = await stranger.post(f"/suspense/{credit_no}/assignments", **assigning("AS-1", 100))
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_balance")
