"""Money in suspense is sent back over HTTP by the platform where it may, else by two operators at their terminals."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.invariants import check_invariants
from escrow.stack.up import Stack
from tests.api.platforms import Platform, PlatformMaker, card_number, created
from tests.waiting import until

_ROOT = Path(__file__).parents[2]


async def stranger_transfers(platform: Platform, amount_fen: int = 10_000, card: str = "") -> str:
    """Money from a card that nobody bound; its number in suspense."""
    line = await platform.bank.transfer(
        custody_account_no=platform.custody_account_no,
        amount_fen=amount_fen,
        account_no=card or card_number(),
        account_name="某人",
    )

    async def waits() -> bool:
        return await left_fen(platform, line.bank_serial_no) == amount_fen

    await until(waits, "the money waits")
    return line.bank_serial_no


async def left_fen(platform: Platform, credit_no: str) -> int:
    """What is in suspense under a number."""
    listed = (await platform.get("/suspense")).json()["credits"]
    return sum(credit["left_fen"] for credit in listed if credit["credit_no"] == credit_no)


async def ends(platform: Platform, return_no: str, status: str) -> None:
    """The return gets into its last status."""

    async def does() -> bool:
        return bool((await platform.get(f"/withdrawals/{return_no}")).json()["status"] == status)

    await until(does, f"{return_no} is {status}")


async def books_are_sound(stack: Stack, platform: Platform) -> None:
    """No invariant is broken."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        assert await check_invariants(connection, platform.number) == []
    finally:
        await connection.close()


async def test_a_part_is_sent_back_once_and_the_rest_stays(platform: Platform, stack: Stack) -> None:
    credit_no = await stranger_transfers(platform)
    path, body = f"/suspense/{credit_no}/returns", {"return_no": "SR-1", "amount_fen": 4_000}
    first = await created(platform.post(path, **body))
    assert (first["credit_no"], first["member_no"], first["principal_fen"]) == (credit_no, None, 4_000)
    await ends(platform, "SR-1", "paid")
    again = await platform.post(path, **body)
    assert (again.status_code, again.json()["status"]) == (200, "paid")
    other = await platform.post(path, **{**body, "amount_fen": 4_001})
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")
    assert await left_fen(platform, credit_no) == 6_000
    too_much = await platform.post(path, return_no="SR-2", amount_fen=6_001)
    assert (too_much.status_code, too_much.json()["code"]) == (409, "insufficient_balance")
    mistyped = await platform.post(path, return_no="SR-3", amount_fen=1, cnaps_code="102100099997")
    assert (mistyped.status_code, mistyped.json()["code"]) == (422, "cnaps_code_invalid")
    await books_are_sound(stack, platform)


async def test_what_fails_for_good_waits_in_suspense_again_and_can_be_assigned(platform: Platform) -> None:
    await platform.open_owner()
    credit_no = await stranger_transfers(platform, 90_012)
    await created(platform.post(f"/suspense/{credit_no}/returns", return_no="SR-1", amount_fen=90_012))
    await ends(platform, "SR-1", "failed")
    assert await left_fen(platform, credit_no) == 90_012
    assigned = {"assignment_no": "AS-1", "member_no": "O-1", "amount_fen": 90_012}
    await created(platform.post(f"/suspense/{credit_no}/assignments", **assigned))


async def test_sent_back_and_assigned_by_many_at_once_it_is_used_once(platform: Platform, stack: Stack) -> None:
    await platform.open_owner()
    credit_no = await stranger_transfers(platform)
    asked = [
        *(
            platform.post(f"/suspense/{credit_no}/returns", return_no=f"SR-{number}", amount_fen=4_000)
            for number in range(5)
        ),
        *(
            platform.post(
                f"/suspense/{credit_no}/assignments", assignment_no=f"AS-{number}", member_no="O-1", amount_fen=4_000
            )
            for number in range(5)
        ),
    ]
    statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert (statuses.count(201), statuses.count(409)) == (2, 8)
    assert await left_fen(platform, credit_no) == 2_000
    await books_are_sound(stack, platform)


async def test_what_a_channel_collected_or_nobody_knows_is_not_sent_back_so(platform: Platform) -> None:
    answer = await platform.post("/suspense/CR-404/returns", return_no="SR-1", amount_fen=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "suspense_source_unknown")
    again = await platform.post("/suspense/CR-404/returns", return_no="SR-1", amount_fen=1)
    assert (again.status_code, again.json()["code"]) == (409, "suspense_source_unknown")


async def test_a_return_takes_no_number_of_a_withdrawal(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.top_up(card, 10_000)
    await created(platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-1", principal_fen=100))
    credit_no = await stranger_transfers(platform)
    answer = await platform.post(f"/suspense/{credit_no}/returns", return_no="W-1", amount_fen=100)
    assert (answer.status_code, answer.json()["code"]) == (409, "object_exists")


def escrow(stack: Stack, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    """An operator's command on the running stack."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ESCROW_", "DATABASE_"))}
    return subprocess.run(
        [sys.executable, "-c", "from escrow.cli import main; main()", *arguments],
        cwd=_ROOT,
        env={**ours, **stack.environment, "COLUMNS": "200", **({"ESCROW_OPERATOR_KEY": key} if key else {})},
        capture_output=True,
        text=True,
        check=False,
    )


def operator_key(stack: Stack, operator_no: str) -> str:
    """Make an operator; its key."""
    added = escrow(stack, "operator", "add", operator_no)
    assert added.returncode == 0, added.stderr
    return added.stdout.rsplit(" ", 1)[-1].strip()


async def test_where_the_platform_may_not_two_operators_send_it_back_and_none_alone(
    platforms: PlatformMaker, stack: Stack
) -> None:
    config = {"top_up_settlement": "T+0", "suspense_returned_by_platform": False}
    platform = await platforms.open(PlatformConfig.model_validate(config))
    card = card_number()
    credit_no = await stranger_transfers(platform, card=card)
    refused = await platform.post(f"/suspense/{credit_no}/returns", return_no="SR-1", amount_fen=4_000)
    assert (refused.status_code, refused.json()["code"]) == (403, "two_operators_required")
    opened = await platform.http.put(
        "/v1/platform/configuration",
        json={"request_no": "CF-1", "config": {**config, "suspense_returned_by_platform": True}},
    )
    assert opened.json()["details"] == {"fields": ["suspense_returned_by_platform"]}

    zhang, li = (operator_key(stack, f"{name}-{platform.number}") for name in ("zhang", "li"))
    listed = escrow(stack, "suspense", "list", platform.number)
    assert f"{credit_no}  100.00  from {card[:4]}****{card[-4:]}" in listed.stdout
    proposing = ("suspense", "propose", platform.number, "SR-2", credit_no, "40.00")
    assert escrow(stack, *proposing, key="op_nobody").returncode == 1
    assert escrow(stack, *proposing, key=zhang).returncode == 0
    alone = escrow(stack, "suspense", "confirm", platform.number, "SR-2", key=zhang)
    assert (alone.returncode, "two_operators_required" in alone.stderr) == (1, True)
    assert await left_fen(platform, credit_no) == 10_000
    for _ in range(2):
        decided = escrow(stack, "suspense", "confirm", platform.number, "SR-2", key=li)
        assert decided.returncode == 0, decided.stderr
    await ends(platform, "SR-2", "paid")
    assert await left_fen(platform, credit_no) == 6_000
    for answer in (listed, decided):
        assert not any(secret in answer.stdout + answer.stderr for secret in (zhang, li, card))

    too_much = ("suspense", "propose", platform.number, "SR-3", credit_no, "60.01")
    assert escrow(stack, *too_much, key=li).returncode == 0
    broke = escrow(stack, "suspense", "confirm", platform.number, "SR-3", key=zhang)
    assert (broke.returncode, "insufficient_balance" in broke.stderr) == (1, True)
    assert escrow(stack, "operator", "revoke", f"li-{platform.number}").returncode == 0
    assert escrow(stack, *too_much, key=li).returncode == 1
    await books_are_sound(stack, platform)
