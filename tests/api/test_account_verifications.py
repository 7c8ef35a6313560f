"""Account verification over HTTP: begin, look, send again, confirm; guessing at once gets three tries."""

import asyncio
import re
from typing import Any

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.money import accounts
from escrow.ledger.balances import account_balance_fen
from tests.api.platforms import Platform, card_number, created
from tests.waiting import until

CONSENT = {"text_version": "1", "address": "203.0.113.7"}
VERIFY = "/members/O-1/bank-accounts/A-2/verify"


async def owner_opens(platform: Platform) -> None:
    """An owner with an account whose bank's code is known: micro-deposits need it."""
    await platform.open_owner()
    await created(
        platform.post(
            "/members/O-1/bank-accounts",
            account_id="A-2",
            account_no=card_number(),
            account_name="王小明",
            is_corporate=False,
            cnaps_code="102100099996",
        )
    )


async def own_money(platform: Platform) -> None:
    """The platform's own sub-account gets 5 yuan from its own bank account."""
    own = await platform.registry.bank_accounts.get(platform.number, "", "OWN-1")
    await platform.bank.transfer(
        custody_account_no=platform.custody_account_no,
        amount_fen=500,
        account_no=own.account_no,
        account_name=own.account_name,
    )

    async def arrived() -> bool:
        return await account_balance_fen(platform.registry.recorder, accounts.own(platform.number)) == 500

    await until(arrived, "the money arrives")


async def sent(platform: Platform, number: str = "V-1") -> dict[str, Any]:
    return await created(platform.post(f"{VERIFY}/micro-deposit", request_no=number, consent=CONSENT))


async def seen(bank: SandboxSteering, platform: Platform, number: str = "V-1") -> dict[str, Any]:
    """Amount and reference as the holder knows them: from the bank statement and the short message."""
    request_no = f"{platform.number}/{number}:micro_deposit:1"
    amount_fen = await bank.micro_deposit_fen(request_no)
    [text] = [sms.text for sms in await bank.sms_outbox() if sms.req_seq.startswith(request_no)]
    return {"amount_fen": amount_fen, "reference": re.findall(r"鉴权序号(\w{5})", text)[0]}


async def test_an_account_is_verified_by_what_its_holder_types(platform: Platform) -> None:
    await owner_opens(platform)
    await own_money(platform)
    begun = await sent(platform)
    assert (begun["status"], begun["method"], begun["tries_left"]) == ("sent", "micro_deposit", 3)
    again = await platform.post(f"{VERIFY}/micro-deposit", request_no="V-1", consent=CONSENT)
    assert (again.status_code, again.json()) == (200, begun)
    typed = await seen(platform.bank, platform)
    wrong = typed | {"amount_fen": typed["amount_fen"] % 50 + 1}
    answer = await platform.post(f"{VERIFY}/V-1/confirm-amount", request_no="T-1", **wrong)
    assert (answer.json()["outcome"], answer.json()["verification"]["tries_left"]) == ("wrong", 2)
    assert (await platform.post(f"{VERIFY}/V-1/confirm-amount", request_no="T-1", **wrong)).json() == answer.json()
    other = await platform.post(f"{VERIFY}/V-1/confirm-amount", request_no="T-1", **typed)
    assert other.json()["code"] == "request_no_reused"
    by_code = await platform.post(f"{VERIFY}/V-1/confirm-code", request_no="T-2", code="111111")
    assert by_code.json()["code"] == "verification_method"
    soon = await platform.post(f"{VERIFY}/V-1/resend", request_no="S-1")
    assert (soon.status_code, soon.json()["code"]) == (409, "verification_too_soon")
    right = await platform.post(f"{VERIFY}/V-1/confirm-amount", request_no="T-3", **typed)
    assert (right.status_code, right.json()["verification"]["status"]) == (200, "verified")
    assert (await platform.get(f"{VERIFY}/V-1")).json() == right.json()["verification"]
    account = (await platform.get("/members/O-1/bank-accounts/A-2")).json()
    assert account["verification"] == "micro_deposit"
    done = await platform.post(f"{VERIFY}/V-1/resend", request_no="S-2")
    assert done.json()["code"] == "verification_state"
    twice = await platform.post(f"{VERIFY}/micro-deposit", request_no="V-2", consent=CONSENT)
    assert twice.json()["code"] == "account_verified"
    events = await platform.get("/events", kind="account_verification", object_no="V-1")
    assert [event["status"] for event in events.json()["events"]] == ["asked", "sent", "verified"]


async def test_fifty_confirmations_at_once_get_three_tries(platform: Platform) -> None:
    await owner_opens(platform)
    await own_money(platform)
    await sent(platform)
    reference = (await seen(platform.bank, platform))["reference"]
    wrong = "AAAAA" if reference != "AAAAA" else "BBBBB"
    answers = await asyncio.gather(
        *(
            platform.post(f"{VERIFY}/V-1/confirm-amount", request_no=f"T-{n}", amount_fen=n, reference=wrong)
            for n in range(1, 51)
        )
    )
    compared = [answer.json()["outcome"] for answer in answers if answer.status_code == 200]
    assert sorted(compared) == ["exhausted", "wrong", "wrong"]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert refused <= {"verification_tries_spent", "verification_state"}
    assert (await platform.get(f"{VERIFY}/V-1")).json()["status"] == "failed"


async def test_a_platform_without_own_money_is_told_so_each_time(platform: Platform) -> None:
    await owner_opens(platform)
    for _ in range(2):
        answer = await platform.post(f"{VERIFY}/micro-deposit", request_no="V-1", consent=CONSENT)
        assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_balance")


async def test_a_unionpay_check_needs_the_card_to_be_its_holders(platform: Platform) -> None:
    await owner_opens(platform)
    begun = await created(platform.post(f"{VERIFY}/unionpay", request_no="V-1", consent=CONSENT, mobile="13800000001"))
    assert (begun["status"], begun["method"]) == ("failed", "unionpay")  # 王小明 has another ID number
    answer = await platform.post(f"{VERIFY}/V-1/confirm-code", request_no="T-1", code="111111")
    assert (answer.status_code, answer.json()["code"]) == (409, "verification_state")
